import { isSilent, explainSilence, type WatchAnswer } from '../clients/drift-watch.ts';
import type { WatchedTarget } from '../domain/drift.ts';
import type { DriftWatchState } from '../workflows/messages.ts';
import { formatHolds, formatStream, formatTroubles } from './format-drift.ts';
import { printable } from './printable.ts';

/** What is worth a line between two answers of a watch; the first answer is compared with undefined. */
export function driftChanges(before: WatchAnswer | undefined, now: WatchAnswer): string[] {
  if (isSilent(now)) return before && isSilent(before) && before.silent === now.silent ? [] : [explainSilence(now)];
  // What was known before a silence is forgotten with it: all is told again.
  const known = before && !isSilent(before) ? before : undefined;
  return [...holdChanges(known, now), ...streamChanges(known, now), ...targetChanges(known, now)];
}

function holdChanges(before: DriftWatchState | undefined, now: DriftWatchState): string[] {
  const [was, is] = [before ? linesOf(before) : [], linesOf(now)];
  const ended = [
    ...(before?.pause && !now.pause ? ['not paused any more'] : []),
    ...(before?.freeze && !now.freeze ? ['not frozen any more'] : []),
    ...(before && before.problem !== null && now.problem === null ? ['checks find out again'] : []),
    ...(before && before.pollProblems.length > 0 && now.pollProblems.length === 0 ? ['all repositories and secret managers answer again'] : []),
  ];
  return [...ended, ...is.filter((line) => !was.includes(line))];
}

function linesOf(state: DriftWatchState): string[] {
  return [...formatHolds(state), ...formatTroubles(state)];
}

function streamChanges(before: DriftWatchState | undefined, now: DriftWatchState): string[] {
  const name = ({ repository, stream }: DriftWatchState['streams'][number]): string => `${repository}/${printable(stream)}`;
  const was = new Set(before?.streams.map(formatStream));
  const left = new Set(now.streams.map(name));
  return [
    ...(before?.streams ?? []).filter((each) => !left.has(name(each))).map((each) => `${name(each)} is at its head`),
    ...now.streams.map(formatStream).filter((line) => !was.has(line)),
  ];
}

function targetChanges(before: DriftWatchState | undefined, now: DriftWatchState): string[] {
  const was = new Map(before?.targets.map((target) => [target.id, target]));
  return now.targets.flatMap((target) => {
    const known = was.get(target.id);
    if (known?.status === target.status && known.digest === target.digest && known.commit === target.commit) return [];
    // Of a watch that is looked at for the first time only what is not as it should be is news.
    if (known === undefined && target.status === 'InSync') return [];
    const from = known === undefined || known.status === target.status ? '' : `${known.status} → `;
    return [`${printable(target.id)} (${target.kind} ${printable(target.place)}): ${from}${target.status}${keysOf(target)}${whyOf(target)}`];
  });
}

function keysOf({ keys = [], moreKeys = 0 }: WatchedTarget): string {
  if (keys.length === 0) return '';
  return `, ${keys.map(({ key, drift }) => `${printable(key)} ${drift}`).join(', ')}${moreKeys > 0 ? ` and ${moreKeys} more` : ''}`;
}

function whyOf({ message }: WatchedTarget): string {
  return message === undefined ? '' : `: ${printable(message)}`;
}
