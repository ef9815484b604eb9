import pLimit from 'p-limit';
import { bounded } from '../domain/status.ts';
import { matchGlob } from '../clients/glob.ts';
import type { Repository } from '../domain/bundle.ts';
import { rulesOf } from '../domain/routing.ts';
import { newestTag, refNameOf, TAG_STREAM } from '../domain/stream-head.ts';
import type { PinnedSecret, Prepared, PreparedRule, PreparedTarget, PrepareInput } from './activity-types.ts';
import { attempt, type Attempt } from './attempt.ts';
import { isNamedByRef } from './compute-stream.ts';
import { constrainSecrets } from './constrain-secrets.ts';
import type { ActivityDeps } from './deps.ts';
import { lookAtTarget } from './look-at-target.ts';
import { parkedMessage } from './pause.ts';
import { pinSecrets } from './pin-secrets.ts';
import { refusalOf } from './refusal-of.ts';
import { repositoryOf, type RuleState, type StreamState, type TargetState } from './stream-state.ts';

/** Sinks asked at the same time by one run. */
const READS_AT_ONCE = 16;
/** Stands for the commit of a pull request that was closed by somebody who did not say it. */
const NO_COMMIT = '0'.repeat(40);

/** Fetches the head, validates every rule of the stream, and compares with what every target holds now. Writes nothing (I1). */
export async function prepare(deps: ActivityDeps, input: PrepareInput): Promise<Prepared> {
  return attempt(`${input.repository}/${input.stream}`, async (own) => prepareStream(deps, input, own));
}

async function prepareStream(deps: ActivityDeps, input: PrepareInput, own: Attempt): Promise<Prepared> {
  const { signal } = own;
  const pausing = deps.pauseOf(input.tenant);
  const bundle = deps.bundle();
  const { tenant, repository: repositoryName, request } = input;
  let commit: string | undefined;
  try {
    const repository = repositoryOf({ bundle, tenant, repository: repositoryName });
    const retired = request.trigger === 'closed';
    const head = retired ? { commit: request.commit ?? NO_COMMIT } : fetchHead(deps, repository, input, signal);
    const [pause, fetched] = await Promise.all([pausing, head]);
    if (pause) return { kind: 'parked', why: parkedMessage(pause) };
    commit = fetched.commit;
    const state = await deps.desired.compute({ bundle, tenant, repository: repositoryName, event: request.ref, commit, retired }, signal);
    if (state.rules.length === 0) return { kind: 'nothing', commit, why: state.unrouted.join('; ') || 'no rule takes this ref' };
    const pins = await pinSecrets(deps.secrets, tenant, state.rules, signal);
    await constrainSecrets(deps.secrets, tenant, pins, own);
    return await compare(deps, input, state, pins, signal);
  } catch (error) {
    // A paused tenant parks also while Git does not answer.
    const pause = await pausing;
    if (pause) return { kind: 'parked', why: parkedMessage(pause) };
    const refusal = refusalOf(error, commit);
    if (refusal) return refusal;
    throw error;
  }
}

/**
 * The head of the stream. Of a stream of tags that is the newest one, whichever tag the request is about: two tags that are pushed at once are told in
 * any order. Where tags name their environments or places, each is a head of its own.
 */
async function fetchHead(deps: ActivityDeps, repository: Repository, input: PrepareInput, signal: AbortSignal): Promise<{ readonly commit: string }> {
  const { stream, request } = input;
  const own = refNameOf(repository.provider, request.ref);
  const tenant = deps.bundle().tenants[input.tenant];
  if (!stream.startsWith(TAG_STREAM) || !tenant || Object.values(rulesOf(tenant, input.repository)).some(isNamedByRef)) {
    return deps.git.fetch(repository, own, signal);
  }
  const newest = newestTag(stream.slice(TAG_STREAM.length), await deps.git.heads(repository, signal), matchGlob);
  return deps.git.fetch(repository, newest === undefined ? own : `refs/tags/${newest}`, signal);
}

async function compare(
  deps: ActivityDeps,
  input: PrepareInput,
  state: StreamState,
  pins: ReadonlyMap<RuleState, readonly PinnedSecret[]>,
  signal: AbortSignal,
): Promise<Prepared> {
  const limit = pLimit(READS_AT_ONCE);
  const problems: string[] = [];
  const holds: string[] = [];
  const rules = await Promise.all(
    state.rules.map(async (rule): Promise<PreparedRule> => {
      const secrets = pins.get(rule) ?? [];
      const targets = await Promise.all(
        rule.targets.map((target) =>
          limit(async (): Promise<PreparedTarget> => {
            const change = await changeOf(deps, input, state, rule, target, signal, problems, holds);
            const { destination, sink, kind, place, digest } = target;
            return {
              rule: rule.name,
              environment: rule.environment,
              destination,
              sink,
              kind,
              place: place.name,
              layout: place.layout,
              fields: place.fields,
              digest,
              ...(secrets.length > 0 && { secrets }),
              change,
            };
          }),
        ),
      );
      return { rule: rule.name, environment: rule.environment, onFailure: rule.rule.onFailure, timeoutMs: rule.rule.timeoutMs, targets };
    }),
  );
  if (problems.length > 0) return { kind: 'rejected', commit: state.commit, problems: bounded(problems) };
  if (holds.length > 0) return { kind: 'held', commit: state.commit, problems: bounded(holds) };
  return { kind: 'ready', commit: state.commit, rules };
}

async function changeOf(
  deps: ActivityDeps,
  input: PrepareInput,
  state: StreamState,
  rule: RuleState,
  target: TargetState,
  signal: AbortSignal,
  problems: string[],
  holds: string[],
): Promise<PreparedTarget['change']> {
  const { tenant, repository, stream, request } = input;
  const asked = { deletesAllowed: request.deletesAllowed === true, mends: request.only !== undefined };
  const look = await lookAtTarget(deps, { tenant, repository, stream, commit: state.commit, rule, target, ...asked }, signal);
  if (look.kind === 'unseen') {
    // What may pass is the write's to retry; what will not is told now, before anything is written. Under `continue` it must not stop the others.
    if (look.why === 'credential' || (look.why === 'final' && rule.rule.onFailure !== 'continue')) problems.push(look.message);
    return 'unchecked';
  }
  const { plan } = look;
  if (plan.kind === 'held') for (const hold of plan.holds) holds.push(`rule ${rule.name}: ${target.sink} ${target.place.name}: ${hold.message}`);
  if (target.secretKeys.size > 0) return 'unchecked';
  return plan.kind === 'unchanged' ? 'unchanged' : 'write';
}
