import pLimit, { type LimitFunction } from 'p-limit';
import type { Bundle } from '../domain/bundle.ts';
import type { SurveyedStream } from './check-heads.ts';
import type { CheckMemory } from './check-memory.ts';
import type { CheckProgress } from './check-progress.ts';
import { checkTarget, type Checked, type CheckWork, type TargetToCheck } from './check-target.ts';
import type { ActivityDeps } from './deps.ts';
import type { StreamState } from './stream-state.ts';
import { mayWrite, runsOf } from './stream-runs.ts';

export interface CheckTargetsRequest {
  readonly bundle: Bundle;
  readonly tenant: string;
  readonly targets: readonly TargetToCheck[];
  readonly progress: CheckProgress;
}

/** Of one sink, so that one that hangs takes no place from the others; its pool says how many calls it really has at the same time. */
const AT_ONCE_PER_SINK = 16;
const ASKED_AT_ONCE = 16;

/** Compares every target with what was applied there, by a fresh read of each. */
export async function checkTargets(
  deps: ActivityDeps & { readonly memory: CheckMemory },
  { bundle, tenant, targets, progress }: CheckTargetsRequest,
  signal: AbortSignal,
): Promise<Checked[]> {
  const states = new Map<string, Promise<StreamState>>();
  const rules = Map.groupBy(
    targets.map(({ repository, target: { rule } }) => ({ repository, rule })),
    ({ repository }) => repository,
  );
  const work: CheckWork = {
    deps,
    bundle,
    tenant,
    memory: deps.memory.of(bundle),
    stateOf(repository, { stream, event }, commit) {
      const key = JSON.stringify([repository, stream, commit]);
      // Those of the check alone: what another rule has to say to the commit is another one's.
      const asked = [...new Set(rules.get(repository)?.map(({ rule }) => rule))];
      const known = states.get(key) ?? deps.desired.recall({ retired: false, bundle, tenant, repository, event, commit, rules: asked }, signal);
      states.set(key, known);
      return known;
    },
    signal,
  };
  const limits = new Map<string, LimitFunction>();
  const checked = await Promise.all(
    targets.map((target) => {
      const { sink } = target.target;
      const limit = limits.get(sink) ?? pLimit(AT_ONCE_PER_SINK);
      limits.set(sink, limit);
      return limit(async () => {
        const found = progress.known(target) ?? (await checkTarget(work, target));
        progress.add(target, found);
        return { asked: target, ...found, ...failedRotationOf(target) };
      });
    }),
  );
  const begun = await beganMeanwhile(
    deps,
    tenant,
    checked.flatMap(({ asked, target }) => (isFine(target.status) ? [] : asked.streams.map((stream) => ({ repository: asked.repository, stream })))),
    signal,
  );
  return checked.map(({ asked, ...found }) => {
    const { target } = found;
    if (isFine(target.status) || !asked.streams.some((stream) => begun.has(stream))) return found;
    const { remedy: _remedy, keys: _keys, moreKeys: _moreKeys, digest: _digest, message: _message, ...rest } = target;
    return { ...found, target: { ...rest, status: 'Syncing' } };
  });
}

function failedRotationOf({ streams }: TargetToCheck): Pick<Checked, 'hasFailedRotation'> {
  return streams.some(({ runs }) => runs?.hasFailedRotation) ? { hasFailedRotation: true } : {};
}

/** Streams of which a run has begun since they were asked for: what was found in the middle of its work is nobody's drift. */
async function beganMeanwhile(
  { client }: ActivityDeps,
  tenant: string,
  streams: readonly { readonly repository: string; readonly stream: SurveyedStream }[],
  signal: AbortSignal,
): Promise<ReadonlySet<SurveyedStream>> {
  const limit = pLimit(ASKED_AT_ONCE);
  const asked = [...new Map(streams.map((each) => [each.stream, each])).values()];
  const begun = await Promise.all(
    asked.map(({ repository, stream }) =>
      limit(async () => {
        const now = await runsOf(client, { tenant, repository, stream: stream.stream }, signal);
        return mayWrite(now) || now?.runId !== stream.runs?.runId ? [stream] : [];
      }),
    ),
  );
  return new Set(begun.flat());
}

function isFine(status: string): boolean {
  return status === 'InSync' || status === 'Unverifiable' || status === 'Syncing';
}
