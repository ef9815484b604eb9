import type { TargetOutcome } from '../domain/status.ts';
import type { Debt } from './debts.ts';
import { code, list, oneLine } from './markdown.ts';
import type { RequestResult, SyncInput, SyncRequest } from './messages.ts';

export interface RunView {
  readonly doing: string;
  readonly current: SyncRequest | null;
  readonly waiting: number;
  readonly done: readonly RequestResult[];
  readonly owed: readonly Debt[];
}

/**
 * The page of a run in the Temporal UI, as Markdown: what it is about, what was written where, what failed and why. At most 20,000 bytes.
 * Lists, not tables: the UI shows it in half of the window and cuts off what is wider.
 */
export function describeRun(input: SyncInput, view: RunView): string {
  const last = view.done.at(-1);
  const request = view.current;
  const isOver = last !== undefined && last.id === request?.id;
  const by = request?.by ? ` by ${code(request.by)}` : '';
  return limited(
    [
      `**${input.tenant}** ${input.repository}/${input.stream}: **${view.doing}**`,
      ...(request && !isOver ? [`${request.trigger}${by}${request.commit ? `, commit ${code(request.commit.slice(0, 12))}` : ''}`] : []),
      ...(view.waiting > 0 ? [`${view.waiting} more requests are waiting.`] : []),
      ...list(view.owed.slice(0, 20).map((debt) => `owed an undo: ${debt.target.sink} ${code(debt.target.place)}: ${oneLine(debt.reason)}`)),
      ...(last ? describeOutcome(last, isOver ? by : '') : []),
      ...(view.done.length > 1
        ? ['', 'Earlier requests:', ...list(view.done.slice(-6, -1).map((each) => `${each.trigger}: ${each.outcome.status}: ${oneLine(each.outcome.summary)}`))]
        : []),
    ].join('\n'),
  );
}

function describeOutcome({ trigger, outcome }: RequestResult, by: string): string[] {
  // Most reasons of a run that failed are in its summary already.
  const isNew = (words: string): boolean => !outcome.summary.includes(words);
  return [
    '',
    `${trigger}${by}${outcome.commit ? `, commit ${code(outcome.commit)}` : ''}: **${outcome.status}**: ${oneLine(outcome.summary)}`,
    ...list(outcome.problems.filter(isNew).map(code)),
    ...list(outcome.targets.slice(0, 60).map((target) => describeTarget(target, isNew))),
    ...(outcome.targets.length > 60 ? ['', `and ${outcome.targets.length - 60} more targets`] : []),
  ];
}

function describeTarget({ rule, environment, sink, kind, place, status, changes, message = '' }: TargetOutcome, isNew: (words: string) => boolean): string {
  const { puts = 0, deletes = 0, adopted = 0 } = changes ?? {};
  const counts = [puts && `${puts} put`, deletes && `${deletes} deleted`, adopted && `${adopted} adopted`].filter(Boolean).join(', ');
  const what = [counts, isNew(message) ? oneLine(message) : ''].filter(Boolean).join('; ');
  return `**${status}** ${environment}: ${sink} (${kind}) ${code(place)}, rule ${rule}${what ? `: ${what}` : ''}`;
}

function limited(markdown: string): string {
  return markdown.length <= 6000 ? markdown : `${markdown.slice(0, 6000)}\n…`;
}
