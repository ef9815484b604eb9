import type { DriftedKey, WatchedStream, WatchedTarget } from '../domain/drift.ts';
import type { DriftWatchState } from '../workflows/messages.ts';
import { paint } from './format-table.ts';
import { printable } from './printable.ts';

type Status = WatchedTarget['status'];

const WORST_FIRST: readonly Status[] = ['Contested', 'Drifted', 'Unknown', 'Healing', 'Syncing', 'Pending', 'Unverifiable', 'InSync'];
const CALM: ReadonlySet<Status> = new Set(['InSync', 'Unverifiable']);

export interface DriftFormat {
  /** Also targets that are as they should be. */
  readonly all: boolean;
}

/** A tenant's watch: how its targets stand, what holds writes back, and each target that differs with its keys. */
export function formatDrift(state: DriftWatchState, { all }: DriftFormat): string {
  const shown = state.targets.filter(({ status }) => all || !CALM.has(status));
  return [
    `${paint('bold', state.tenant)}: ${summarizeDrift(state)}`,
    ...[...formatHolds(state), ...formatTroubles(state)].map((line) => `  ${line}`),
    ...state.streams.map((stream) => `  ${formatStream(stream)}`),
    ...shown.flatMap((target) => ['', ...formatTarget(target)]),
    ...(state.moreTargets > 0 ? ['', `and ${state.moreTargets} more targets`] : []),
  ].join('\n');
}

/** `3 targets: 1 Drifted, 2 InSync; checked …, next check …` */
export function summarizeDrift({ targets, moreTargets, checkedAt, nextCheckAt }: DriftWatchState): string {
  if (checkedAt === null) return 'not checked yet';
  const counts = WORST_FIRST.map((status) => [status, targets.filter((target) => target.status === status).length] as const).filter(([, count]) => count > 0);
  const total = targets.length + moreTargets;
  const parts = [...counts.map(([status, count]) => coloured(status, `${count} ${status}`)), ...(moreTargets > 0 ? [`${moreTargets} not listed`] : [])];
  const found = total === 0 ? 'no targets yet' : `${total} ${total === 1 ? 'target' : 'targets'}: ${parts.join(', ')}`;
  return `${found}; checked ${checkedAt}${nextCheckAt === null ? '' : `, next check ${nextCheckAt}`}`;
}

/** What keeps drift from being healed. */
export function formatHolds({ pause, freeze }: Pick<DriftWatchState, 'pause' | 'freeze'>): string[] {
  return [
    ...(pause ? [`paused since ${pause.since} by ${printable(pause.by)}: ${printable(pause.reason)}${pause.until ? ` (until ${pause.until})` : ''}`] : []),
    ...(freeze ? [`frozen until ${freeze.until}: ${printable(freeze.reason)}`] : []),
  ].map((line) => paint('yellow', line));
}

/** Why less is known than should be. */
export function formatTroubles({ problem, pollProblems }: Pick<DriftWatchState, 'problem' | 'pollProblems'>): string[] {
  return [
    ...(problem === null ? [] : [paint('red', `the last check found nothing out: ${printable(problem)}`)]),
    ...pollProblems.map((why) => paint('yellow', `could not be asked: ${printable(why)}`)),
  ];
}

/** A stream whose head is not applied, with why and what comes next. */
export function formatStream({ repository, stream, head, state, message, attempts, nextAttemptAt, trigger }: WatchedStream): string {
  const what =
    trigger === 'closed'
      ? 'is closed and not cleaned up'
      : { moved: 'has moved', failed: 'is not applied', waiting: 'waits for a new commit or a person' }[state];
  const tried = attempts === 0 ? '' : `, tried ${attempts} ${attempts === 1 ? 'time' : 'times'}`;
  const next = nextAttemptAt === undefined ? '' : `, again ${nextAttemptAt}`;
  const why = message === undefined ? '' : `: ${printable(message)}`;
  return paint('yellow', `${repository}/${printable(stream)} at ${head.slice(0, 12)} ${what}${tried}${next}${why}`);
}

/** The status of a target in one line, without its keys. */
export function formatTargetLine(target: WatchedTarget): string {
  const { id, sink, kind, place, status, since, commit, mode } = target;
  const facts = [
    `${status}${since === undefined ? '' : ` since ${since}`}`,
    ...(commit === undefined ? [] : [`written at ${commit.slice(0, 12)}`]),
    ...(mode === 'warn' && !CALM.has(status) ? ['only told (drift: warn)'] : []),
  ];
  return `${paint('bold', printable(id))} → ${sink} (${kind}) ${printable(place)}: ${coloured(status, facts.join(', '))}`;
}

function formatTarget(target: WatchedTarget): string[] {
  const { keys = [], moreKeys = 0, message, heals = [], nextHealAt, remedy, freeze } = target;
  return [
    formatTargetLine(target),
    ...(message === undefined ? [] : [`  ${paint('yellow', printable(message))}`]),
    ...(freeze === undefined ? [] : [paint('yellow', `  frozen until ${freeze.until}: ${printable(freeze.reason)}`)]),
    ...(remedy === 'sync' ? ['  its stream is brought to its head'] : []),
    ...(heals.length === 0 ? [] : [`  healed of late: ${heals.join(', ')}`]),
    ...(nextHealAt === undefined ? [] : [`  next heal ${nextHealAt}`]),
    ...keys.map(formatKey),
    ...(moreKeys > 0 ? [`  and ${moreKeys} more keys`] : []),
  ];
}

function formatKey({ key, drift, expected, live }: DriftedKey): string {
  const name = printable(key);
  switch (drift) {
    case 'changed':
      return paint('yellow', `  ~ ${name}: ${live ?? 'absent'} is there, not ${expected ?? 'absent'}`);
    case 'missing':
      return paint('red', `  - ${name}: missing, should be ${expected ?? '?'}`);
    case 'extra':
      return paint('red', `  + ${name}: ${live ?? '?'} is there, should be gone`);
  }
}

function coloured(status: Status, text: string): string {
  if (status === 'Contested' || status === 'Unknown') return paint('red', text);
  return CALM.has(status) ? text : paint('yellow', text);
}
