import type { AskedChecks, ForcedHeal, WatchedGroup, WatchState } from './drift.ts';

/** A tenant that is gone is asked for once more: a worker that still has the bundle of before may have answered. */
export const GONE_AGAIN_MS = 30_000;
const FREEZE_AGAIN_MS = 5_000;
const MOST_AT_ONCE = 500;
const AT_REST: ReadonlySet<string> = new Set(['InSync', 'Unverifiable', 'Pending', 'Unknown']);

/** One check to make; `taken` of what was asked is done with it. */
export interface DueCheck {
  readonly groups: 'all' | readonly { readonly intervalMs: number; readonly digest: string }[];
  readonly polls: 'all' | readonly number[];
  readonly targets: readonly string[];
  readonly taken: AskedChecks;
}

export const NOTHING_ASKED: AskedChecks = { everything: false, neverPolled: false, targets: [], forced: [] };

/** The check of what its time has come for; null if there is none. */
export function dueByTime(state: WatchState, now: number, mayWrite: boolean): DueCheck | null {
  const forced = state.asked.forced.filter((each) => each.targets === undefined);
  const { everything, neverPolled = false } = state.asked;
  const taken = { everything, neverPolled, targets: [], forced };
  if (everything) return { groups: 'all', polls: neverPolled ? 'all' : state.pollIntervals.map(({ intervalMs }) => intervalMs), targets: [], taken };
  if (nextByTime(state, now, mayWrite) > now) return null;
  if (state.checkedAt === null || state.goneAt !== null || forced.length > 0) return { groups: 'all', polls: [], targets: [], taken };
  const isDue = ({ dueAt }: { readonly dueAt: string }): boolean => Date.parse(dueAt) <= now;
  const groups = state.groups.filter(isDue).map((group) => ({ intervalMs: group.intervalMs, digest: knownDigest(group) }));
  const polls = nextAttempt(state, mayWrite) <= now ? 'all' : state.pollIntervals.filter(isDue).map(({ intervalMs }) => intervalMs);
  return { groups, polls, targets: [], taken };
}

/** The check of targets that somebody names, or that are looked at again; null if there is none. */
export function dueByName(state: WatchState, now: number): DueCheck | null {
  if (nextByName(state, now) > now) return null;
  const forced = state.asked.forced.filter((each) => each.targets !== undefined);
  const again = state.healing.filter(({ recheckAt }) => recheckAt !== undefined && Date.parse(recheckAt) <= now).map(({ id }) => id);
  const targets = [...new Set([...forced.flatMap((each) => each.targets ?? []), ...state.asked.targets, ...again])].slice(0, MOST_AT_ONCE);
  const asked = new Set(targets);
  return { groups: [], polls: [], targets, taken: { everything: false, targets: state.asked.targets.filter((id) => asked.has(id)), forced } };
}

/** When {@link dueByTime} has something next: `now` or later, Infinity for never. */
export function nextByTime(state: WatchState, now: number, mayWrite: boolean): number {
  const { asked, goneAt, freeze, checkedAt, groups, pollIntervals } = state;
  if (asked.everything || asked.forced.some(({ targets }) => targets === undefined)) return now;
  if (goneAt !== null) return Date.parse(goneAt) + GONE_AGAIN_MS;
  if (checkedAt === null) return now;
  const times = [...groups, ...pollIntervals].map(({ dueAt }) => Date.parse(dueAt));
  const thaw = freeze ? Math.max(Date.parse(freeze.until), Date.parse(checkedAt) + FREEZE_AGAIN_MS) : Number.POSITIVE_INFINITY;
  return Math.max(now, Math.min(...times, thaw, nextAttempt(state, mayWrite)));
}

/** When {@link dueByName} has something next. What is wanted is handed over first, or the look again would find nothing done. */
export function nextByName({ asked, healing, wanted }: WatchState, now: number): number {
  if (wanted.length > 0) return Number.POSITIVE_INFINITY;
  if (asked.targets.length > 0 || asked.forced.some(({ targets }) => targets !== undefined)) return now;
  const times = healing.flatMap(({ recheckAt }) => (recheckAt === undefined ? [] : [Date.parse(recheckAt)]));
  return times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

export function taking(asked: AskedChecks, taken: AskedChecks): AskedChecks {
  return {
    everything: asked.everything && !taken.everything,
    neverPolled: asked.neverPolled === true && !taken.everything,
    targets: asked.targets.filter((id) => !taken.targets.includes(id)),
    forced: asked.forced.filter((each) => !taken.forced.includes(each)),
  };
}

/** More names at the same time than can be kept are a check of everything. */
export function asking(asked: AskedChecks, more: Partial<AskedChecks>): AskedChecks {
  const targets = [...new Set([...asked.targets, ...(more.targets ?? [])])];
  const forced: ForcedHeal[] = [...asked.forced, ...(more.forced ?? [])].slice(-20);
  const isMuch = targets.length > 1_000;
  const neverPolled = asked.neverPolled === true || more.neverPolled === true;
  return { everything: asked.everything || more.everything === true || isMuch, neverPolled, targets: isMuch ? [] : targets, forced };
}

function nextAttempt({ streams }: WatchState, mayWrite: boolean): number {
  const times = mayWrite ? streams.flatMap(({ nextAttemptAt }) => (nextAttemptAt === undefined ? [] : [Date.parse(nextAttemptAt)])) : [];
  return times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

/** Where something is under way or frozen, "as it was" would not say how it is. */
function knownDigest({ digest, targets }: WatchedGroup): string {
  const isAtRest = targets.every(({ status, freeze }) => freeze === undefined && AT_REST.has(status));
  return isAtRest ? digest : '';
}
