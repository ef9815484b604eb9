import pLimit from 'p-limit';
import { bounded } from '../domain/status.ts';
import type { PinnedSecret, Prepared, PreparedRule, PreparedTarget, PrepareInput } from './activity-types.ts';
import type { ActivityDeps } from './deps.ts';
import { lookAtTarget } from './look-at-target.ts';
import { movedOn } from './moved-on.ts';
import type { RuleState, StreamState, TargetState } from './stream-state.ts';

/** Sinks asked at the same time by one run. */
const READS_AT_ONCE = 16;

/** Compares what Git says with what every target holds now, and says what is to be written where. */
export async function compareTargets(
  deps: ActivityDeps,
  input: PrepareInput,
  state: StreamState,
  pins: ReadonlyMap<RuleState, readonly PinnedSecret[]>,
  signal: AbortSignal,
): Promise<Prepared> {
  const limit = pLimit(READS_AT_ONCE);
  const problems: string[] = [];
  const holds: string[] = [];
  const left: string[] = [];
  const rules = await Promise.all(
    state.rules.map(async (rule): Promise<PreparedRule> => {
      const secrets = pins.get(rule) ?? [];
      const targets = await Promise.all(
        rule.targets.map((target) =>
          limit(async (): Promise<PreparedTarget | null> => {
            const change = await changeOf(deps, input, state, rule, target, signal, { problems, holds, left });
            if (change === null) return null;
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
      return {
        rule: rule.name,
        environment: rule.environment,
        onFailure: rule.rule.onFailure,
        timeoutMs: rule.rule.timeoutMs,
        targets: targets.filter((target) => target !== null),
      };
    }),
  );
  if (problems.length > 0) return { kind: 'rejected', commit: state.commit, problems: bounded(problems) };
  if (holds.length > 0) return { kind: 'held', commit: state.commit, problems: bounded(holds) };
  const touched = rules.filter(({ targets }) => targets.length > 0);
  if (touched.length === 0 && left.length > 0) return { kind: 'nothing', commit: state.commit, why: bounded(left, 5).join('; ') };
  return { kind: 'ready', commit: state.commit, rules: touched };
}

/** What a person is told of the targets. */
interface Findings {
  readonly problems: string[];
  readonly holds: string[];
  /** Why a heal leaves targets alone. */
  readonly left: string[];
}

/** Null where a heal leaves the target alone. */
async function changeOf(
  deps: ActivityDeps,
  input: PrepareInput,
  state: StreamState,
  rule: RuleState,
  target: TargetState,
  signal: AbortSignal,
  { problems, holds, left }: Findings,
): Promise<PreparedTarget['change'] | null> {
  const { tenant, repository, stream, request } = input;
  const asked = { deletesAllowed: request.deletesAllowed === true, mends: request.only !== undefined };
  const look = await lookAtTarget(deps, { tenant, repository, stream, commit: state.commit, rule, target, ...asked }, signal);
  if (look.kind === 'unseen') {
    // What may pass is the write's to retry; what will not is told now, before anything is written. Under `continue` it must not stop the others.
    if (look.why === 'credential' || (look.why === 'final' && rule.rule.onFailure !== 'continue')) problems.push(look.message);
    return 'unchecked';
  }
  const { live, plan } = look;
  const moved = request.only === undefined ? null : movedOn(state.commit, live.ledger);
  if (moved !== null) {
    left.push(`${target.sink} ${target.place.name}: ${moved}`);
    return null;
  }
  if (plan.kind === 'held') for (const hold of plan.holds) holds.push(`rule ${rule.name}: ${target.sink} ${target.place.name}: ${hold.message}`);
  if (target.secretKeys.size > 0) return 'unchecked';
  return plan.kind === 'unchanged' ? 'unchanged' : 'write';
}
