import type { Prepared } from '../activities/activity-types.ts';
import { bounded, worstOf, type RunOutcome, type TargetOutcome } from '../domain/status.ts';
import type { RuleResult } from './write-rule.ts';

/** How a request ends that nothing was written for. */
export function outcomeWithoutWrites(prepared: Exclude<Prepared, { kind: 'ready' }>): RunOutcome {
  const commit = 'commit' in prepared && prepared.commit ? { commit: prepared.commit } : {};
  switch (prepared.kind) {
    case 'rejected':
      return { status: 'Rejected', summary: 'not valid, nothing was written', targets: [], problems: prepared.problems, ...commit };
    case 'held':
      return { status: 'Held', summary: 'a person has to decide, nothing was written', targets: [], problems: prepared.problems, ...commit };
    case 'parked':
      return { status: 'Parked', summary: prepared.why, targets: [], problems: [] };
    case 'nothing':
      return { status: 'Unchanged', summary: prepared.why, targets: [], problems: [], ...commit };
  }
}

/** How a request ends whose rules were written; `undone` is what became of the targets that had to be put back. */
export function outcomeOfWrites(results: readonly RuleResult[], undone: readonly TargetOutcome[]): RunOutcome {
  const targets = results.flatMap((each) => each.targets).map((target) => finalOutcome(target, undone));
  const failures = results.flatMap(({ failure }) => failure ?? []);
  const stuck = undone.some((target) => target.status === 'Failed');
  const status = stuck ? 'Failed' : worstOf(results.map((each) => each.status));
  return { status, summary: summaryOf(status, targets, failures[0]?.message), targets, problems: bounded(failures.map((failure) => failure.message)) };
}

/** What became of a target after the undo: put back, or stuck; else as the write left it. */
function finalOutcome(target: TargetOutcome, undone: readonly TargetOutcome[]): TargetOutcome {
  const end = undone.find((each) => each.sink === target.sink && each.place === target.place);
  if (!end || (end.status === 'Skipped' && target.status === 'Failed')) return target;
  const message = target.status === 'Failed' && target.message ? `${target.message}; ${end.message ?? ''}` : end.message;
  return { ...target, status: target.status === 'Failed' && end.status === 'Restored' ? 'Failed' : end.status, ...(message !== undefined && { message }) };
}

function summaryOf(status: string, targets: readonly TargetOutcome[], reason: string | undefined): string {
  const wrote = targets.filter((target) => target.status === 'Synced' || target.status === 'Unverifiable').length;
  switch (status) {
    case 'Synced':
      return `${wrote} of ${targets.length} targets written and read back`;
    case 'Unchanged':
      return `${targets.length} targets already as Git says`;
    case 'RolledBack':
      return `all targets are as before: ${reason ?? ''}`;
    case 'Partial':
      return `${wrote} of ${targets.length} targets written: ${reason ?? ''}`;
    default:
      return reason ?? status;
  }
}
