import pLimit from 'p-limit';
import type { LiveState, Plan } from '../domain/plan.ts';
import { SECRET_MARK } from '../domain/secret-text.ts';
import { refNameOf } from '../domain/stream-head.ts';
import type { KeyChange, PlannedTarget, PlanStreamInput, StreamPlan } from './activity-types.ts';
import { attempt, type Attempt } from './attempt.ts';
import { constrainSecrets } from './constrain-secrets.ts';
import type { ActivityDeps } from './deps.ts';
import { lookAtTarget } from './look-at-target.ts';
import { pinSecrets } from './pin-secrets.ts';
import { refusalOf } from './refusal-of.ts';
import { repositoryOf, type RuleState, type StreamState, type TargetState } from './stream-state.ts';

export type PlanDeps = Pick<ActivityDeps, 'bundle' | 'git' | 'sinks' | 'secrets' | 'desired' | 'fingerprint' | 'now'>;

/** How a plan is told, and how much of it: what crosses Temporal has to stay far below its 2 MiB (I8, bounded payloads). */
export interface PlanView {
  /** What stands for a value of a key. */
  readonly show: (text: string, key: string) => string;
  /** The same of what is there now, which may be a secret that Git has no reference to any more; `show` unless given. */
  readonly showBefore?: (text: string, key: string) => string;
  readonly maxTargets: number;
  readonly maxKeys: number;
  readonly maxKeysOfTarget: number;
  readonly maxKeyLength: number;
}

const READS_AT_ONCE = 16;

/** The dry run as an activity: names and fingerprints, never a value. */
export async function planStream(deps: PlanDeps, input: PlanStreamInput): Promise<StreamPlan> {
  const view: PlanView = { show: deps.fingerprint, maxTargets: 300, maxKeys: 3_000, maxKeysOfTarget: 200, maxKeyLength: 200 };
  return attempt(`${input.repository}/${input.stream}`, async (own) => computePlan(deps, input, view, own));
}

/**
 * What a commit would change, in every target of its stream: validated and compared like a run's `prepare`, with the values of secrets where the rule says
 * `constrain: value`, and nothing is written. Before that, `conceal` is told what no error may hold.
 */
export async function computePlan(deps: PlanDeps, input: PlanStreamInput, view: PlanView, own: Pick<Attempt, 'signal' | 'conceal'>): Promise<StreamPlan> {
  const { signal } = own;
  const bundle = deps.bundle();
  const { tenant, repository: name, ref } = input;
  let commit: string | undefined;
  try {
    const repository = repositoryOf({ bundle, tenant, repository: name });
    ({ commit } = await deps.git.fetch(repository, input.commit ?? refNameOf(repository.provider, ref), signal));
    const state = await deps.desired.compute({ bundle, tenant, repository: name, event: ref, commit, retired: false }, signal);
    if (state.rules.length === 0) return { kind: 'nothing', commit, why: state.unrouted.join('; ') || 'no rule takes this ref' };
    const pins = await pinSecrets(deps.secrets, tenant, state.rules, signal);
    await constrainSecrets(deps.secrets, tenant, pins, own);
    return await planTargets(deps, input, state, view, signal);
  } catch (error) {
    const refusal = signal.aborted ? undefined : refusalOf(error, commit);
    if (refusal) return refusal;
    throw error;
  }
}

async function planTargets(deps: PlanDeps, input: PlanStreamInput, state: StreamState, view: PlanView, signal: AbortSignal): Promise<StreamPlan> {
  const all = state.rules.flatMap((rule) => rule.targets.map((target) => ({ rule, target })));
  const most = Math.min(view.maxKeysOfTarget, Math.floor(view.maxKeys / Math.min(all.length, view.maxTargets)));
  const limit = pLimit(READS_AT_ONCE);
  const planned = all
    .slice(0, view.maxTargets)
    .map(({ rule, target }) => limit(async () => describeTarget(deps, input, state.commit, rule, target, view, most, signal)));
  return { kind: 'planned', commit: state.commit, targets: await Promise.all(planned), moreTargets: all.length - planned.length };
}

async function describeTarget(
  deps: PlanDeps,
  input: PlanStreamInput,
  commit: string,
  rule: RuleState,
  target: TargetState,
  view: PlanView,
  most: number,
  signal: AbortSignal,
): Promise<PlannedTarget> {
  const { tenant, repository, stream } = input;
  const deletesAllowed = input.deletesAllowed === true;
  const name = { rule: rule.name, environment: rule.environment, sink: target.sink, kind: target.kind, place: target.place.name };
  const look = await lookAtTarget(deps, { tenant, repository, stream, commit, rule, target, deletesAllowed, mends: false }, signal);
  if (look.kind === 'unseen') return { ...name, change: 'unknown', keys: [], moreKeys: 0, messages: [look.message] };
  const { live, plan } = look;
  const keys = changesOf(plan, live, target, view);
  return {
    ...name,
    change: plan.kind,
    ...(live.ledger && { applied: live.ledger.commit }),
    keys: keys.slice(0, most).map((change) => ({ ...change, key: shortened(change.key, view.maxKeyLength) })),
    moreKeys: Math.max(keys.length - most, 0),
    messages: plan.kind === 'held' ? plan.holds.map((hold) => shortened(hold.message, 1_000)) : [],
  };
}

function changesOf(plan: Plan, live: LiveState, target: TargetState, view: PlanView): KeyChange[] {
  const show = (text: string, key: string): string => (target.secretKeys.has(key) ? SECRET_MARK : view.show(text, key));
  const showBefore = (text: string, key: string): string => (target.secretKeys.has(key) ? SECRET_MARK : (view.showBefore ?? view.show)(text, key));
  const desired = new Map(target.entries.map((entry) => [entry.key, entry.text]));
  /** Undefined is a value that is there and cannot be read. */
  const shown = (text: string | null | undefined, key: string): string | null => (text === undefined ? '?' : text === null ? null : showBefore(text, key));
  const now = (key: string): string | null => (live.entries.has(key) ? shown(live.entries.get(key) ?? undefined, key) : null);
  const wanted = (key: string): string | null => {
    const text = desired.get(key);
    return text === undefined ? null : show(text, key);
  };
  switch (plan.kind) {
    case 'unchanged':
      return [];
    case 'held':
      return plan.holds.flatMap((hold) =>
        hold.keys.map((key): KeyChange => {
          if (hold.reason === 'too-many-deletes') return { key, change: 'delete', before: now(key), after: null };
          return { key, change: 'conflict', before: now(key), after: wanted(key) };
        }),
      );
    case 'write':
      return [
        ...plan.puts.map(({ entry, before }): KeyChange => ({
          key: entry.key,
          change: 'put',
          before: shown(before, entry.key),
          after: show(entry.text, entry.key),
        })),
        ...plan.deletes.map(({ key, before }): KeyChange => ({ key, change: 'delete', before: shown(before, key), after: null })),
        ...plan.adopted.map((key): KeyChange => ({ key, change: 'adopt', before: now(key), after: wanted(key) })),
      ];
  }
}

function shortened(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
