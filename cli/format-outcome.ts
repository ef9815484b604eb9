import { endsWell, type ChangeCounts, type RunOutcome } from '../domain/status.ts';
import { formatTable, paint } from './format-table.ts';
import { printable } from './printable.ts';

/** How a run ended, its problems, and each of its targets. */
export function formatOutcome(title: string, outcome: RunOutcome): string {
  const at = outcome.commit === undefined ? '' : ` at ${outcome.commit.slice(0, 12)}`;
  const status = paint(endsWell(outcome.status) ? 'green' : 'red', outcome.status);
  const rows = outcome.targets.map(({ rule, environment, sink, kind, place, status: end, changes, message }) => [
    rule,
    environment,
    `${sink} (${kind})`,
    place,
    end,
    formatCounts(changes),
    message ?? '',
  ]);
  return [
    `${title}${at}: ${status}: ${printable(outcome.summary)}`,
    ...outcome.problems.map((problem) => `  ${printable(problem)}`),
    ...(rows.length > 0 ? ['', ...formatTable(['RULE', 'ENVIRONMENT', 'SINK', 'PLACE', 'STATUS', 'CHANGES', 'WHY'], rows)] : []),
  ].join('\n');
}

function formatCounts(changes: ChangeCounts | undefined): string {
  if (!changes) return '';
  const { puts, deletes, adopted } = changes;
  return [puts && `${puts} put`, deletes && `${deletes} deleted`, adopted && `${adopted} adopted`].filter(Boolean).join(', ');
}
