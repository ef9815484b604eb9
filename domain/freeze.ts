import type { Bundle, FreezeWindow } from './bundle.ts';
import type { Freeze } from './drift.ts';
import type { Problem } from './problem.ts';
import { formatPath } from './value.ts';

/** When a cron pattern last matched the clock of a time zone, at `at` or before. Injected: `clients/cron.ts` has the real one. */
export type LastOccurrence = (pattern: string, timeZone: string, at: Date) => Date | null;

/** What is wrong with the clock of a window, and in which of its fields. */
export type WindowCheck = (
  pattern: string,
  timeZone: string,
  lengthMs: number,
) => { readonly field: 'from' | 'timeZone' | 'for'; readonly message: string } | null;

/** Windows that follow each other without a gap are one freeze; more of them than this are told when they come. */
const MOST_IN_A_ROW = 100;

/** The freeze at a moment, if any of the windows is open: until when, if nobody changes them, and why. A window is open from its beginning to before its end. */
export function openFreeze(windows: readonly FreezeWindow[], at: Date, lastOccurrence: LastOccurrence): Freeze | null {
  const endOf = ({ from, timeZone, forMs }: FreezeWindow, moment: number): number => {
    const began = lastOccurrence(from, timeZone, new Date(moment));
    return began === null ? Number.NEGATIVE_INFINITY : began.getTime() + forMs;
  };
  const open = windows.filter((window) => endOf(window, at.getTime()) > at.getTime());
  if (open.length === 0) return null;
  let until = at.getTime();
  for (let round = 0; round < MOST_IN_A_ROW; round++) {
    const later = Math.max(...windows.map((window) => endOf(window, until)));
    if (later <= until) break;
    until = later;
  }
  return { reason: [...new Set(open.map(({ reason }) => reason))].join('; '), until: new Date(until).toISOString() };
}

/** What is wrong with the windows of a bundle, by path. */
export function freezeProblems({ tenants }: Bundle, check: WindowCheck): Problem[] {
  const of = (windows: readonly FreezeWindow[] | undefined, at: readonly string[]): Problem[] =>
    (windows ?? []).flatMap(({ from, timeZone, forMs }, index) => {
      const problem = check(from, timeZone, forMs);
      return problem === null ? [] : [{ key: formatPath([...at, 'freeze', String(index), problem.field]), message: problem.message }];
    });
  return Object.entries(tenants).flatMap(([name, { freeze, rules }]) => [
    ...of(freeze, ['tenants', name]),
    ...Object.entries(rules).flatMap(([rule, { freeze: own }]) => of(own, ['tenants', name, 'rules', rule])),
  ]);
}
