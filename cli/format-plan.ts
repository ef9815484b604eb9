import type { KeyChange, PlannedTarget, StreamPlan } from '../activities/activity-types.ts';
import { paint } from './format-table.ts';
import { printable } from './printable.ts';

const LONGEST_VALUE = 120;

/** Each target with the keys that would change: `+` put anew, `~` changed, `-` deleted, `=` adopted, `!` somebody else's. */
export function formatPlan(title: string, plan: StreamPlan): string {
  const at = plan.commit === undefined ? '' : ` at ${plan.commit.slice(0, 12)}`;
  switch (plan.kind) {
    case 'rejected':
      return [`${title}${at}: ${paint('red', 'not valid')}`, ...plan.problems.map((problem) => `  ${printable(problem)}`)].join('\n');
    case 'nothing':
      return `${title}${at}: nothing to do: ${printable(plan.why)}`;
    case 'planned': {
      const more = plan.moreTargets > 0 ? [`and ${plan.moreTargets} more targets`] : [];
      return [`${title}${at}: ${summaryOf(plan.targets)}`, ...plan.targets.flatMap(formatTarget), ...more].join('\n');
    }
  }
}

function summaryOf(targets: readonly PlannedTarget[]): string {
  const count = (change: PlannedTarget['change']): number => targets.filter((target) => target.change === change).length;
  const parts = [
    count('write') && `${count('write')} to write`,
    count('held') && paint('yellow', `${count('held')} held`),
    count('unknown') && paint('red', `${count('unknown')} unknown`),
    count('unchanged') && `${count('unchanged')} unchanged`,
  ];
  return `${targets.length} ${targets.length === 1 ? 'target' : 'targets'}: ${parts.filter(Boolean).join(', ')}`;
}

function formatTarget(target: PlannedTarget): string[] {
  const { rule, environment, sink, kind, place, change, applied, keys, moreKeys, messages } = target;
  const from = applied === undefined ? '' : `, now at ${applied.slice(0, 12)}`;
  const silent = change === 'write' && keys.length === 0 ? ' (only the ledger moves)' : '';
  return [
    '',
    `${paint('bold', `${rule} (${environment}) → ${sink} (${kind}) ${printable(place)}`)}: ${change}${silent}${from}`,
    ...messages.map((message) => `  ${paint('yellow', printable(message))}`),
    ...keys.map(formatChange),
    ...(moreKeys > 0 ? [`  and ${moreKeys} more keys`] : []),
  ];
}

function formatChange({ key, change, before, after }: KeyChange): string {
  const name = printable(key);
  switch (change) {
    case 'put':
      return before === null ? paint('green', `  + ${name}: ${value(after)}`) : paint('yellow', `  ~ ${name}: ${value(before)} → ${value(after)}`);
    case 'delete':
      return paint('red', `  - ${name}: ${value(before)}`);
    case 'adopt':
      return `  = ${name}: ${value(after)}`;
    case 'conflict':
      return paint('red', `  ! ${name}: ${value(before)} is there, not ${value(after)}`);
  }
}

function value(text: string | null): string {
  if (text === null) return '(absent)';
  const shown = printable(text);
  return shown.length <= LONGEST_VALUE ? shown : `${shown.slice(0, LONGEST_VALUE)}… (${text.length} characters)`;
}
