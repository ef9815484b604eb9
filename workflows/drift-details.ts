import type { DriftedKey, WatchedStream, WatchedTarget } from '../domain/drift.ts';
import { code as codeOf, list, oneLine } from './markdown.ts';
import type { DriftWatchState } from './messages.ts';

const MOST_TARGETS = 60;
const MOST_STREAMS = 20;
const MOST_KEYS = 5;
const MOST_PROBLEMS = 5;
/** Of the 20,000 that Temporal takes, as characters of up to three bytes. */
const LONGEST = 6_500;
const LONGEST_TARGETS = 5_000;

/**
 * The page of a watch in the Temporal UI, as Markdown: every target, worst first, signals that were `ignored` because they could not be acted on, and what to
 * do. At most 20,000 bytes.
 */
export function describeWatch(state: DriftWatchState, ignored: readonly string[]): string {
  const { tenant, pause, freeze, targets, moreTargets, streams, problem, pollProblems } = state;
  const lines = within(LONGEST_TARGETS, targets.slice(0, MOST_TARGETS).map(describeTarget));
  const left = targets.length - lines.length + moreTargets;
  return limited(
    [
      `**${tenant}**: **${pause ? 'paused' : state.status}**; ${summarize(state)}`,
      ...(pause
        ? [
            '',
            `**Paused** since ${pause.since} by ${text(pause.by)}: ${text(pause.reason)}${pause.until ? ` (until ${pause.until})` : ''}. Nothing is written.`,
          ]
        : []),
      ...(freeze ? ['', `**Frozen** until ${freeze.until}: ${text(freeze.reason)}. Nothing is written without force.`] : []),
      ...(problem === null ? [] : ['', `The last check found nothing out: ${text(problem)}`]),
      ...list(pollProblems.slice(0, MOST_PROBLEMS).map((why) => `could not be polled: ${text(why)}`)),
      ...list(streams.slice(0, MOST_STREAMS).map(describeStream)),
      ...(streams.length > MOST_STREAMS ? ['', `and ${streams.length - MOST_STREAMS} more streams`] : []),
      ...list(lines),
      ...(left > 0 ? ['', `and ${left} more targets, none worse than these; \`vartrack drift ${tenant} --all\``] : []),
      ...list(ignored.map((why) => `ignored a signal: ${text(why)}`)),
      '',
      pause
        ? `\`vartrack resume ${tenant}\` goes on.`
        : `\`vartrack pause ${tenant} --reason …\` stops every write; \`vartrack heal ${tenant}\` heals now; \`vartrack drift ${tenant}\` tells all keys.`,
    ].join('\n'),
  );
}

function summarize({ targets, moreTargets, checkedAt, nextCheckAt }: DriftWatchState): string {
  if (checkedAt === null) return 'not checked yet';
  const counts = [...Map.groupBy(targets, ({ status }) => status)].map(([status, alike]) => `${alike.length} ${status}`);
  const parts = [...counts, ...(moreTargets > 0 ? [`${moreTargets} not listed`] : [])];
  const found = parts.length === 0 ? 'no targets yet' : `targets: ${parts.join(', ')}`;
  return `${found}; checked ${checkedAt}${nextCheckAt === null ? '' : `, next check ${nextCheckAt}`}`;
}

function describeStream({ repository, stream, head, state, message, attempts, nextAttemptAt, trigger }: WatchedStream): string {
  const next = nextAttemptAt === undefined ? '' : `, next at ${nextAttemptAt}`;
  const tries = state === 'waiting' ? 'waits for a new commit or a person' : `attempts: ${attempts}${next}`;
  const why = message === undefined ? '' : `: ${text(message)}`;
  const what = trigger === 'closed' ? 'is closed and not cleaned up' : `is not at its head ${code(head.slice(0, 12))}`;
  return `**${state}** ${code(`${repository}/${stream}`)} ${what}${why} (${tries})`;
}

function describeTarget(target: WatchedTarget): string {
  const { status, environment, sink, kind, place, id, commit, since, keys = [], moreKeys = 0, message, heals = [], nextHealAt, mode, freeze } = target;
  const isAdrift = status === 'Drifted' || status === 'Contested';
  const facts = [
    ...(commit === undefined ? [] : [`commit ${code(commit.slice(0, 12))}`]),
    ...(since === undefined ? [] : [`since ${since}`]),
    ...(keys.length > 0 ? [describeKeys(keys, moreKeys)] : []),
    ...(status === 'InSync' || heals.length === 0
      ? []
      : [`healed ${heals.length} ${heals.length === 1 ? 'time' : 'times'} of late${nextHealAt === undefined ? '' : `, next at ${nextHealAt}`}`]),
    ...(isAdrift && mode === 'warn' ? ['only told (drift: warn)'] : []),
    ...(freeze === undefined ? [] : [`frozen until ${freeze.until}: ${text(freeze.reason)}`]),
    ...(message === undefined ? [] : [text(message)]),
  ];
  return `**${status}** ${environment}: ${sink} (${kind}) ${code(place)}, ${code(id)}${facts.length > 0 ? `: ${facts.join('; ')}` : ''}`;
}

function describeKeys(keys: readonly DriftedKey[], more: number): string {
  const shown = keys.slice(0, MOST_KEYS).map(({ key, drift }) => `${drift} ${code(key)}`);
  const left = more + keys.length - shown.length;
  return `${shown.join(', ')}${left > 0 ? ` and ${left} more keys` : ''}`;
}

function code(words: string): string {
  return codeOf(text(words));
}

/** Nothing that a person typed takes the page from the rest. */
function text(words: string): string {
  return oneLine(words).slice(0, 500);
}

/** As many of the first as there is room for. */
function within(most: number, lines: readonly string[]): readonly string[] {
  let room = most;
  const end = lines.findIndex((line) => (room -= line.length) < 0);
  return end < 0 ? lines : lines.slice(0, end);
}

/** The commands at the end stay. */
function limited(markdown: string): string {
  if (markdown.length <= LONGEST) return markdown;
  const end = markdown.slice(markdown.lastIndexOf('\n'));
  return `${markdown.slice(0, LONGEST - end.length)}\n…\n${end}`;
}
