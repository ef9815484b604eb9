import type { TargetOutcome } from '../domain/status.ts';
import type { Debt } from './debts.ts';
import type { RequestResult, SyncInput, SyncRequest } from './messages.ts';

export interface RunView {
  readonly doing: string;
  readonly current: SyncRequest | null;
  readonly waiting: number;
  readonly done: readonly RequestResult[];
  readonly owed: readonly Debt[];
}

/** The page of a run in the Temporal UI, as Markdown: what it is about, what was written where, what failed and why. At most 20,000 bytes. */
export function describeRun(input: SyncInput, view: RunView): string {
  const last = view.done.at(-1);
  const request = view.current;
  const lines = [
    `**${input.tenant}** ${input.repository}/${input.stream}: **${view.doing}**`,
    ...(request
      ? [`${request.trigger}${request.by ? ` by ${code(request.by)}` : ''}${request.commit ? `, commit ${code(request.commit.slice(0, 12))}` : ''}`]
      : []),
    ...(view.waiting > 0 ? [`${view.waiting} more requests are waiting.`] : []),
    ...view.owed.slice(0, 20).map((debt) => `- owed an undo: ${debt.target.sink} ${code(debt.target.place)}: ${text(debt.reason)}`),
    ...(last ? describeOutcome(last) : []),
    ...(view.done.length > 1
      ? ['', 'Earlier requests:', ...view.done.slice(-6, -1).map((each) => `- ${each.trigger}: ${each.outcome.status}: ${text(each.outcome.summary)}`)]
      : []),
  ];
  return limited(lines.join('\n'));
}

function describeOutcome({ trigger, outcome }: RequestResult): string[] {
  return [
    '',
    `${trigger}${outcome.commit ? ` of ${code(outcome.commit)}` : ''}: **${outcome.status}**: ${text(outcome.summary)}`,
    ...outcome.problems.map((problem) => `- ${code(problem)}`),
    ...(outcome.targets.length > 0
      ? ['', '| rule | environment | sink | place | status | changes | why |', '| --- | --- | --- | --- | --- | --- | --- |']
      : []),
    ...outcome.targets.slice(0, 60).map(row),
    ...(outcome.targets.length > 60 ? [`and ${outcome.targets.length - 60} more targets`] : []),
  ];
}

function row(target: TargetOutcome): string {
  const { puts = 0, deletes = 0, adopted = 0 } = target.changes ?? {};
  const changes = [puts && `${puts} put`, deletes && `${deletes} deleted`, adopted && `${adopted} adopted`].filter(Boolean).join(', ');
  const cells = [target.rule, target.environment, `${target.sink} (${target.kind})`, code(target.place), target.status, changes, target.message ?? ''];
  return `| ${cells.map(text).join(' | ')} |`;
}

function code(words: string): string {
  return `\`${words.replaceAll('`', "'")}\``;
}

/** Keeps a cell or a line one. */
function text(words: string): string {
  return words.replaceAll(/[\r\n]+/g, ' ').replaceAll('|', '\\|');
}

function limited(markdown: string): string {
  return markdown.length <= 6000 ? markdown : `${markdown.slice(0, 6000)}\n…`;
}
