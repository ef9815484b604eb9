import {
  ActivityFailure,
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  continueAsNew,
  log,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { Prepared } from '../activities/activity-types.ts';
import { endsWell, type RunOutcome, type TargetOutcome } from '../domain/status.ts';
import { prepareStream, report, undoTarget } from './activity-proxies.ts';
import { Debts, type Debt } from './debts.ts';
import { writeFailureOf } from './failures.ts';
import { interruptible } from './interruptible.ts';
import { pushSignal, syncStateQuery, type RequestResult, type SyncInput, type SyncRequest, type SyncResult, type SyncState } from './messages.ts';
import { outcomeOfWrites, outcomeWithoutWrites } from './outcome.ts';
import { describeRun } from './run-details.ts';
import { searchAttributes } from './search-attributes.ts';
import { isHeal, takeRequests } from './take-requests.ts';
import { writeRule } from './write-rule.ts';

/** How long work for an older commit may go on once a newer request is there; then its retries are cancelled and the newer one takes over. */
const TAKE_OVER_AFTER = '1s';
const MOST_RESULTS = 100;

/**
 * Brings the targets of one stream to what Git says, for as long as there are requests. One run per stream at a time (the workflow id is the lock);
 * a request that comes while it works joins it. Ends as a failed workflow when the last request left something for a person to do.
 */
export async function syncWorkflow(input: SyncInput): Promise<SyncResult> {
  const inbox: SyncRequest[] = [...(input.carried ?? [])];
  const seen = new Set<string>();
  const done: RequestResult[] = [];
  const debts = new Debts();
  let current: SyncRequest | null = null;
  let phase: SyncState['phase'] = 'waiting';
  /** How the newest request ended that was no heal. */
  let lastPush: RequestResult | undefined;

  setHandler(pushSignal, (request) => {
    inbox.push(request);
  });
  setHandler(syncStateQuery, () => ({ phase, current, waiting: inbox.length, done }));

  // A person's "cancel" ends the work like a newer request does: what was half done is undone first. So the work itself is shielded from it.
  let cancelled = false;
  void CancellationScope.current().cancelRequested.catch(() => {
    cancelled = true;
    // What waits is cancelled with it. What comes from now on was answered "accepted" and is for the next run.
    inbox.length = 0;
  });
  const hasWork = (): boolean => cancelled || inbox.length > 0;
  // A heal mends what an older run wrote, and waits for its turn.
  const interrupted = (): boolean => cancelled || inbox.some((request) => !isHeal(request));

  await CancellationScope.nonCancellable(async () => {
    for (let round = 1; ; round++) {
      if (!hasWork() && debts.size === 0) await condition(hasWork, '10s');
      const joined = cancelled ? [] : takeRequests(inbox, seen, debts.size > 0);
      const newest = joined.at(-1);
      if (newest && !cancelled) {
        current = newest;
        const outcome = await work(newest, `${workflowInfo().runId}/${round}`);
        if (outcome === 'again') {
          for (const request of joined) seen.delete(request.id);
          inbox.unshift(...joined);
        } else await conclude(joined, outcome);
      } else if (debts.size > 0) {
        await settleDebts(() => !cancelled && interrupted());
      }
      current = null;
      phase = 'waiting';
      if (inbox.length === 0 || cancelled) {
        if (debts.size > 0) continue;
        await condition(allHandlersFinished);
        if (inbox.length === 0 || cancelled) break;
      }
      if (workflowInfo().continueAsNewSuggested && debts.size === 0) {
        await condition(allHandlersFinished);
        await continueAsNew<typeof syncWorkflow>({ ...input, carried: inbox });
      }
    }
  });

  if (cancelled && inbox.length > 0) await CancellationScope.nonCancellable(() => continueAsNew<typeof syncWorkflow>({ ...input, carried: inbox }));
  if (cancelled) throw new CancelledFailure('cancelled by a person; what was half done is undone');
  const answer = { requests: done.slice(-MOST_RESULTS) };
  // What a push left to do is not done because a heal after it was.
  const last = [lastPush, done.at(-1)].find((result) => result !== undefined && !endsWell(result.outcome.status));
  if (last) {
    const { status, summary, commit, problems } = last.outcome;
    const at = commit === undefined ? '' : ` at ${commit.slice(0, 12)}`;
    const message = [`${status}${at}: ${summary}`, ...problems.filter((problem) => !summary.includes(problem))].join('\n');
    const failure = ApplicationFailure.create({ type: status, message, nonRetryable: true, details: [answer] });
    // Nothing is wrong with the program, and the UI would show the message a second time with it.
    failure.stack = '';
    throw failure;
  }
  return answer;

  /** One request from start to end; `again` if the bundle changed in the middle and it has to be prepared anew. */
  async function work(request: SyncRequest, write: string): Promise<RunOutcome | 'again'> {
    phase = 'preparing';
    show('preparing');
    let prepared: Prepared;
    try {
      prepared = await interruptible(
        () => prepareStream({ ...names(), request }),
        () => cancelled || (isHeal(request) && interrupted()),
        '1s',
      );
    } catch (error) {
      if (isHeal(request) && interrupted()) return gaveWay();
      const failure = writeFailureOf(error);
      return closing({ status: 'Failed', summary: `could not be prepared: ${failure.message}`, targets: [], problems: [] });
    }
    if (cancelled || (isHeal(request) && interrupted())) return gaveWay();
    if (prepared.kind !== 'ready') return closing(outcomeWithoutWrites(prepared));

    phase = 'writing';
    show(`writing ${prepared.commit.slice(0, 12)}`);
    const { commit, rules } = prepared;
    const results = await interruptible(
      () => Promise.all(rules.map((rule) => writeRule({ stream: names(), request, commit, rule, write }, debts))),
      interrupted,
      TAKE_OVER_AFTER,
    );
    if (results.some(({ failure }) => failure?.kind === 'stale')) {
      await settleDebts(() => false);
      return 'again';
    }
    const failures = results.flatMap(({ failure }) => failure ?? []);
    const undone = failures.length === 0 ? [] : await settleDebts(interrupted);
    const written = outcomeOfWrites(results, undone);
    const outcome = { ...written, ...(prepared.forced !== undefined && { summary: `${written.summary}; ${prepared.forced}` }), commit };
    // Still owing, or cancelled throughout: it was interrupted, and the newer request undoes or overwrites what stands there.
    const taken = failures.length > 0 && (debts.size > 0 || failures.every(({ kind }) => kind === 'cancelled'));
    if (taken) return { ...outcome, status: 'Superseded', summary: gaveWay().summary, problems: [] };
    return closing(outcome);
  }

  function gaveWay(): RunOutcome {
    return { status: 'Superseded', summary: cancelled ? 'cancelled by a person' : 'a newer request took over', targets: [], problems: [] };
  }

  /** Undoes what is owed, patiently, until all is settled or `stop` says that something newer will see to it. */
  async function settleDebts(stop: () => boolean): Promise<readonly TargetOutcome[]> {
    phase = 'restoring';
    show(`restoring ${debts.size} targets`);
    const ends: TargetOutcome[] = [];
    await interruptible(() => Promise.all(debts.all().map(async (debt) => ends.push(...(await undo(debt))))), stop, TAKE_OVER_AFTER);
    return ends;
  }

  async function undo(debt: Debt): Promise<readonly TargetOutcome[]> {
    const { target, request, commit, writes, prior } = debt;
    const { rule, environment, sink, kind, place } = target;
    const name = { rule, environment, sink, kind, place };
    try {
      const undone = await undoTarget({ ...names(), request, commit, target, writes, ...(prior !== undefined && { prior }) });
      debts.settle(target);
      return [{ ...name, ...undone }];
    } catch (error) {
      // An undo is retried without limit, so all but a refusal for good is an interruption by a newer request: cancelled, failed just as it was
      // cancelled, or timed out because its worker was gone and could not answer to that. It is still owed, and the newer write undoes it first.
      if (!(error instanceof ActivityFailure && error.retryState === 'NON_RETRYABLE_FAILURE')) return [];
      debts.settle(target);
      return [{ ...name, status: 'Failed', message: `could not be put back (${debt.reason}): ${writeFailureOf(error).message}` }];
    }
  }

  /** Undoes what an earlier request still owes when this one ends without writing over it. */
  async function closing(outcome: RunOutcome): Promise<RunOutcome> {
    if (debts.size === 0 || interrupted()) return outcome;
    const ends = await settleDebts(interrupted);
    return { ...outcome, targets: [...outcome.targets, ...ends] };
  }

  /** Records how the newest request ended, and what that means for those it took along. */
  async function conclude(joined: readonly SyncRequest[], outcome: RunOutcome): Promise<void> {
    for (const request of joined) {
      const isNewest = request === joined.at(-1);
      const same = isNewest || (!isHeal(request) && request.commit !== undefined && request.commit === outcome.commit);
      const superseded: RunOutcome = {
        status: 'Superseded',
        summary: `joined by a newer request${outcome.commit ? `, which worked toward ${outcome.commit.slice(0, 12)}` : ''}`,
        targets: [],
        problems: [],
      };
      // The targets are told once, with the newest request; the others point there.
      done.push({ id: request.id, trigger: request.trigger, outcome: isNewest ? outcome : same ? { ...outcome, targets: [], problems: [] } : superseded });
    }
    if (done.length > MOST_RESULTS) done.splice(0, done.length - MOST_RESULTS);
    show(outcome.status);
    const newest = joined.at(-1);
    if (!newest) return;
    if (!isHeal(newest)) lastPush = done.at(-1);
    // How the stream stands is what a push made of it; a heal says something of its own only in a run that did nothing else.
    if (!isHeal(newest) || lastPush === undefined) tell(newest, outcome);
    try {
      await report({ ...names(), request: newest, outcome });
    } catch (error) {
      log.warn('the outcome could not be reported', { error: String(error) });
    }
  }

  function tell({ trigger }: SyncRequest, outcome: RunOutcome): void {
    upsertSearchAttributes([
      { key: searchAttributes.status, value: outcome.status },
      { key: searchAttributes.trigger, value: trigger },
      ...(outcome.commit ? [{ key: searchAttributes.commit, value: outcome.commit }] : []),
      { key: searchAttributes.environments, value: unique(outcome.targets.map((target) => target.environment)) },
      { key: searchAttributes.sinks, value: unique(outcome.targets.map((target) => target.sink)) },
    ]);
  }

  function names(): { tenant: string; repository: string; stream: string } {
    return { tenant: input.tenant, repository: input.repository, stream: input.stream };
  }

  function show(doing: string): void {
    setCurrentDetails(describeRun(input, { doing, current, waiting: inbox.length, done, owed: debts.all() }));
  }
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].toSorted().slice(0, 50);
}
