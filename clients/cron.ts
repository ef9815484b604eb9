import { Cron } from 'croner';
import { LRUCache } from 'lru-cache';

const FORM = 'write five fields: minute, hour, day of the month, month, weekday, such as "0 18 * * FRI"';
/** Windows without a gap between them after which they are taken never to have one: more than those of every day of a year. */
const MOST_IN_A_ROW = 400;

const compiled = new LRUCache<string, Cron>({ max: 1_000 });

function cronOf(pattern: string, timeZone: string): Cron {
  const key = `${timeZone} ${pattern}`;
  const known = compiled.get(key) ?? new Cron(pattern, { timezone: timeZone, mode: '5-part', paused: true });
  compiled.set(key, known);
  return known;
}

/**
 * When the clock of a time zone last matched a cron pattern, at `at` or before; null if it never did. A time that the change to summer time leaves out is
 * the first moment after the gap; of one that comes twice in autumn it is the first.
 */
export function lastOccurrence(pattern: string, timeZone: string, at: Date): Date | null {
  const [found] = cronOf(pattern, timeZone).previousRuns(1, new Date(at.getTime() + 1));
  return found ?? null;
}

/** What is wrong with a pattern and its zone, or with windows of this length that begin so; null if nothing is. */
export function cronProblem(
  pattern: string,
  timeZone: string,
  lengthMs: number,
): { readonly field: 'from' | 'timeZone' | 'for'; readonly message: string } | null {
  if (!isTimeZone(timeZone)) return { field: 'timeZone', message: 'is no time zone; write its IANA name, such as Europe/Berlin or UTC' };
  if (!/^\S+( +\S+){4}$/.test(pattern)) return { field: 'from', message: FORM };
  let next: Date | null;
  try {
    next = cronOf(pattern, timeZone).nextRun();
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error);
    return { field: 'from', message: `is no cron pattern (${why}); ${FORM}` };
  }
  if (next === null) return { field: 'from', message: 'never comes; choose a day that there is' };
  if (ends(pattern, timeZone, lengthMs, next)) return null;
  return { field: 'for', message: 'never ends: the next window begins before this one is over; make it shorter, or pause the tenant' };
}

/** Whether the windows from `first` on ever leave a gap. */
function ends(pattern: string, timeZone: string, lengthMs: number, first: Date): boolean {
  let end = first.getTime() + lengthMs;
  for (let windows = 0; windows < MOST_IN_A_ROW; windows++) {
    const last = lastOccurrence(pattern, timeZone, new Date(end)) ?? first;
    if (last.getTime() + lengthMs <= end) return true;
    end = last.getTime() + lengthMs;
  }
  return false;
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name }).format();
    // Offsets such as +01:00 know no summer.
    return /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}
