import { CancellationScope } from '@temporalio/workflow';
import type { PreparedRule, PreparedTarget, StreamName } from '../activities/activity-types.ts';
import type { RunStatus, TargetOutcome } from '../domain/status.ts';
import { writeTarget } from './activity-proxies.ts';
import type { Debts } from './debts.ts';
import { writeFailureOf, type WriteFailure } from './failures.ts';
import type { SyncRequest } from './messages.ts';

export interface RuleWrite {
  readonly stream: StreamName;
  readonly request: SyncRequest;
  readonly commit: string;
  readonly rule: PreparedRule;
  /** Prefix of the ids of this request's writes, unique to the run and the request. */
  readonly write: string;
}

export interface RuleResult {
  readonly targets: readonly TargetOutcome[];
  /** What ended it early, if anything did. */
  readonly failure?: WriteFailure;
  /** The status as it stands without an undo. */
  readonly status: RunStatus;
}

/**
 * Writes the targets of one rule, in parallel (one after another under `halt`). If one fails for good under `compensate`, the others stop and
 * every target that was or may have been changed is owed an undo. The debt is entered before each write and taken back when all are well.
 */
export async function writeRule(run: RuleWrite, debts: Debts): Promise<RuleResult> {
  const { rule } = run;
  let failure: WriteFailure | undefined;
  const scope = new CancellationScope();
  const compensates = rule.onFailure === 'compensate';

  async function write(target: PreparedTarget): Promise<TargetOutcome> {
    const before = debts.of(target);
    if (target.change === 'unchanged' && !before) return outcomeOf(target, { status: 'Unchanged' });
    if (rule.onFailure === 'halt' && failure) return outcomeOf(target, { status: 'Skipped', message: 'an earlier destination failed' });
    const id = `${run.write}/${rule.rule}/${rule.environment}/${target.destination}`;
    const debt = { target, request: run.request, commit: run.commit, writes: [...(before?.writes ?? []), id] };
    debts.owe({ ...debt, reason: 'the write did not finish' });
    try {
      const applied = await writeTarget(
        { ...run.stream, request: run.request, commit: run.commit, target, write: id, ...(before && { undoFirst: before.writes }) },
        rule.timeoutMs,
      );
      if (applied.prior === undefined) debts.settle(target);
      else debts.owe({ ...debt, writes: [id], prior: applied.prior, reason: 'another destination failed' });
      return outcomeOf(target, applied);
    } catch (error) {
      const own = writeFailureOf(error);
      // With an older write still to undo the place stays owed, whatever this attempt did.
      if (!own.mayHaveWritten) {
        if (before) debts.owe(before);
        else debts.settle(target);
      }
      // The first real failure is the reason; what was cancelled because of it is not.
      if (!failure || failure.kind === 'cancelled') failure = own;
      if (compensates) scope.cancel();
      return outcomeOf(target, { status: own.kind === 'cancelled' ? 'Skipped' : 'Failed', message: own.message });
    }
  }

  const targets = await scope.run(() => (rule.onFailure === 'halt' ? inOrder(rule.targets, write) : Promise.all(rule.targets.map(write))));
  if (failure && compensates) return { targets, failure, status: failure.kind === 'held' ? 'Held' : failure.kind === 'parked' ? 'Parked' : 'RolledBack' };
  for (const target of rule.targets) debts.settle(target);
  return failure ? { targets, failure, status: 'Partial' } : { targets, status: statusOf(targets) };
}

async function inOrder<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await act(item));
  return results;
}

function statusOf(targets: readonly TargetOutcome[]): RunStatus {
  const wrote = targets.some((target) => target.status === 'Synced' || target.status === 'Unverifiable');
  if (wrote) return 'Synced';
  return targets.some((target) => target.status === 'Superseded') ? 'Superseded' : 'Unchanged';
}

function outcomeOf(target: PreparedTarget, end: Pick<TargetOutcome, 'status' | 'changes' | 'message'>): TargetOutcome {
  const { rule, environment, sink, kind, place } = target;
  const { status, changes, message } = end;
  return { rule, environment, sink, kind, place, status, ...(changes && { changes }), ...(message !== undefined && { message }) };
}
