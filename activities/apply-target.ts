import { ApplicationFailure } from '@temporalio/activity';
import type { ChangeCounts } from '../domain/status.ts';
import { undoOf, type Ledger } from '../domain/ledger.ts';
import { someOf, type LiveState, type Plan, type WritePlan } from '../domain/plan.ts';
import { SinkError } from '../sinks/errors.ts';
import type { Sink, SinkContext } from '../sinks/sink.ts';
import { FAILURE } from '../workflows/messages.ts';
import type { Applied, ApplyTargetInput } from './activity-types.ts';
import { assessTarget } from './assess-target.ts';
import { attempt, type Attempt } from './attempt.ts';
import type { ActivityDeps } from './deps.ts';
import { freezeAt, frozenMessage } from './freeze.ts';
import { liveDigest } from './live-digest.ts';
import { newerThan } from './newer-than.ts';
import { parkedMessage } from './pause.ts';
import { resolveSecrets, type ResolvedSecrets } from './resolve-secrets.ts';
import { undoWrite } from './undo-write.ts';
import { keysOf, repositoryOf, type RuleState, type TargetState } from './stream-state.ts';

/** How often a place that moved between the read and the write is read again before Temporal's own retry takes its turn. */
const TRIES = 5;
const KEYS_NAMED = 20;

/** Brings one target to the desired state of the commit, and says `Synced` only after a fresh read found nothing more to do (I5). */
export async function applyTarget(deps: ActivityDeps, input: ApplyTargetInput): Promise<Applied> {
  const { tenant, target } = input;
  return attempt(`rule ${target.rule}: ${target.sink}`, async (own) => {
    // Asked beside the first read; nothing is written before the answer.
    const allowed = refuseHeldUp(deps, input);
    allowed.catch(() => undefined);
    let secrets: ResolvedSecrets | undefined;
    try {
      const { rule, target: found } = await recallTarget(deps, input, own.signal);
      const sink = await deps.sinks.get(deps.bundle(), tenant, target.sink);
      if (found.secretKeys.size > 0) secrets = await resolveSecrets(deps.secrets, tenant, rule.secrets, target.secrets ?? [], own.signal);
      own.conceal((secrets?.values ?? []).map((value) => value.reveal()));
      const revealed = secrets ? deps.desired.reveal(found, secrets.secretOf) : found;
      return await write({ deps, input, own, sink, allowed, rule, target: revealed });
    } catch (error) {
      if (error instanceof SinkError && error.reason === 'unauthorized') deps.sinks.drop(tenant, target.sink);
      // Whatever else is wrong, a paused or frozen tenant parks.
      await allowed;
      throw error;
    } finally {
      secrets?.erase();
    }
  });
}

/** While the tenant is paused or frozen no write begins. What is begun is finished or undone. */
async function refuseHeldUp(deps: ActivityDeps, { tenant, target, request }: ApplyTargetInput): Promise<void> {
  const freeze = request.force ? null : freezeAt(deps.bundle(), tenant, target.rule, deps.now());
  const pause = await deps.pauseOf(tenant);
  if (pause) throw ApplicationFailure.nonRetryable(parkedMessage(pause), FAILURE.parked);
  if (freeze) throw ApplicationFailure.nonRetryable(frozenMessage(freeze), FAILURE.parked);
}

interface Work {
  readonly deps: ActivityDeps;
  readonly input: ApplyTargetInput;
  readonly own: Attempt;
  readonly sink: Sink;
  /** Rejects where the tenant is paused (I12) or frozen. */
  readonly allowed: Promise<void>;
  readonly rule: RuleState;
  readonly target: TargetState;
}

async function write(work: Work): Promise<Applied> {
  const { deps, input, own, sink, rule, target } = work;
  const { fingerprint } = deps;
  const context: SinkContext = { signal: own.signal, keys: keysOf(target), fingerprint };
  if (input.undoFirst) {
    await work.allowed;
    await undoEarlier(work, input.undoFirst);
  }
  let written: { readonly plan: WritePlan; readonly prior: string } | undefined;
  let surprise = '';
  /** Of our own undo, which leaves the same mark as one that shuts this write out. */
  let undone: number | undefined;
  for (let tries = 0; tries < TRIES; tries++) {
    const live = await sink.read(target.place, context);
    own.conceal(priorSecrets(target, live));
    await work.allowed;
    // A first attempt finds the mark before it has done anything, or a later read finds a new one: the run gave this write up and undid it.
    if (live.ledger?.write === undoOf(input.write) && live.ledger.generation !== undone && (own.isFirst || tries > 0)) throw shutOut(input);
    const newer = target.retired ? null : await newerThan(deps, input, live.ledger, own.signal);
    if (newer !== null) return { status: 'Superseded', message: newer };
    const isOurs = live.ledger?.write === input.write;
    const plan = await assess(work, live);
    if (written && isOurs && plan.kind === 'write') surprise = surpriseOf(plan);
    // An earlier attempt of this very write died half-way, or somebody changed what this write left.
    if (live.ledger && isOurs && (live.ledger.state === 'intent' || plan.kind === 'write')) {
      const generation = await beginAgain(work, live.ledger);
      if (generation !== null) {
        undone = generation;
        continue;
      }
    }
    if (plan.kind === 'held')
      throw ApplicationFailure.nonRetryable(
        plan.holds.map((hold) => `rule ${rule.name}: ${input.target.sink} ${input.target.place}: ${hold.message}`).join('; '),
        FAILURE.held,
      );
    if (plan.kind === 'unchanged') return proven(work, live, written);
    own.aboutToWrite();
    try {
      await sink.apply(target.place, plan, context);
      // What the first write of this attempt replaced is what an undo has to bring back.
      written ??= { plan, prior: liveDigest(live, fingerprint) };
    } catch (error) {
      if (!(error instanceof SinkError) || error.reason !== 'conflict') throw error;
      if (!written) own.wroteNothing();
    }
  }
  throw new SinkError(
    'conflict',
    `${input.target.place}: somebody else changes it at the same time: ${TRIES} attempts met another state than they had read${surprise}`,
  );
}

/** What stands now where secrets belong: mostly the secrets of before. */
function priorSecrets({ secretKeys }: TargetState, live: LiveState): string[] {
  return [...secretKeys].map((key) => live.entries.get(key)).filter((text) => typeof text === 'string');
}

/**
 * Undoes this very write, so that it can be made anew: its undo record is the only one that knows what was there before, and a second write on top would
 * replace it. Gives the generation after that, null if somebody else's work stands in the way; the write then has to be finished as it is.
 */
async function beginAgain({ own, sink, target, deps }: Work, ledger: Ledger): Promise<number | null> {
  own.aboutToWrite();
  try {
    const context: SinkContext = { signal: own.signal, keys: keysOf(target), fingerprint: deps.fingerprint };
    return (await sink.restore(target.place, ledger.generation, context)).generation;
  } catch (error) {
    if (!(error instanceof SinkError) || error.reason !== 'conflict') throw error;
    return null;
  }
}

function shutOut({ target }: ApplyTargetInput): SinkError {
  return new SinkError('conflict', `${target.place}: the run gave this write up and shut it out`);
}

function surpriseOf({ puts, deletes }: WritePlan): string {
  return `; after the write it differed again at ${someOf([...puts.map(({ entry }) => entry.key), ...deletes.map(({ key }) => key)])}`;
}

/** The fresh read found nothing to do: whether this write is why. */
function proven({ input }: Work, live: LiveState, written: { readonly plan: WritePlan; readonly prior: string } | undefined): Applied {
  // What nobody can read back is never called proven (I5).
  const status = [...live.entries.values()].includes(null) ? 'Unverifiable' : 'Synced';
  if (written) {
    const silent = written.plan.puts.length + written.plan.deletes.length + written.plan.adopted.length === 0;
    // Only the ledger moved on: nobody's value changed, and an undo brings the ledger back.
    if (silent) return { status: 'Unchanged', prior: written.prior };
    return { status, prior: written.prior, changes: countsOf(written.plan) };
  }
  // An earlier attempt wrote it and was not heard: its counts are lost, its effect is not.
  if (live.ledger?.write === input.write) return { status, prior: UNKNOWN_PRIOR, message: 'written by an earlier attempt' };
  return { status: 'Unchanged' };
}

/** Stands for a prior state that nobody could report; the undo record in the sink still has it. */
export const UNKNOWN_PRIOR = 'unknown';

function countsOf(plan: WritePlan): ChangeCounts {
  const keys = [...plan.puts.map(({ entry }) => entry.key), ...plan.deletes.map(({ key }) => key)].slice(0, KEYS_NAMED);
  return { puts: plan.puts.length, deletes: plan.deletes.length, adopted: plan.adopted.length, keys };
}

function assess({ deps, input, own, rule, target }: Work, live: LiveState): Promise<Plan> {
  const bundle = deps.bundle();
  const { tenant, repository, stream, commit, request, write: id } = input;
  return assessTarget(
    {
      bundle,
      tenant,
      repository,
      stream,
      commit,
      rule,
      target,
      deletesAllowed: request.deletesAllowed === true,
      mends: request.only !== undefined,
      write: id,
      at: deps.now(),
      fingerprint: deps.fingerprint,
      inputsMoved: (from) => deps.git.touched(repositoryOf({ bundle, tenant, repository }), from, commit, rule.inputs, own.signal),
    },
    live,
  );
}

async function undoEarlier({ deps, input, own, sink, target, rule }: Work, writes: readonly string[]): Promise<void> {
  own.aboutToWrite();
  await undoWrite(sink, {
    over: input.write,
    place: target.place,
    keys: keysOf(target),
    writes,
    owner: { tenant: input.tenant, rule: rule.name, environment: rule.environment },
    stream: `${input.repository}/${input.stream}`,
    commit: input.commit,
    at: deps.now(),
    signal: own.signal,
    fingerprint: deps.fingerprint,
  });
}

/** The target as `prepare` validated it. If the bundle changed since, the run has to prepare again. */
export async function recallTarget(
  deps: Pick<ActivityDeps, 'bundle' | 'desired'>,
  input: Pick<ApplyTargetInput, 'tenant' | 'repository' | 'request' | 'commit' | 'target'>,
  signal: AbortSignal,
): Promise<{ rule: RuleState; target: TargetState }> {
  const { tenant, repository, request, commit, target: wanted } = input;
  const state = await deps.desired.recall(
    { bundle: deps.bundle(), tenant, repository, event: request.ref, commit, retired: request.trigger === 'closed', rules: [wanted.rule] },
    signal,
  );
  const rule = state.rules.find((each) => each.name === wanted.rule && each.environment === wanted.environment);
  const target = rule?.targets.find((each) => each.destination === wanted.destination);
  if (!rule || !target || target.digest !== wanted.digest || target.place.name !== wanted.place || target.sink !== wanted.sink) {
    throw ApplicationFailure.nonRetryable('the bundle changed since the run was prepared', FAILURE.stale);
  }
  return { rule, target };
}
