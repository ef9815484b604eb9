import type { WatchedGroup, WatchedTarget, WatchState, WatchStatus } from './drift.ts';
import { nextHealAt } from './heal-schedule.ts';
import { NOTHING_ASKED } from './watch-due.ts';

/** Of all groups together: a state is carried from run to run, and Temporal refuses more than 2 MiB. */
export const MOST_TARGETS = 1_000;
const MOST_WITH_KEYS = 100;
const MOST_KEYS = 20;

/** A watch that has not looked yet. */
export function newWatch(): WatchState {
  return {
    groups: [],
    pollIntervals: [],
    streams: [],
    pollProblems: [],
    freeze: null,
    secretVersions: {},
    notifies: false,
    checkedAt: null,
    problem: null,
    goneAt: null,
    asked: NOTHING_ASKED,
    healing: [],
    attempts: [],
    rotations: [],
    wanted: [],
    wantedCount: 0,
    startAll: null,
  };
}

const RANKS: Readonly<Record<WatchedTarget['status'], number>> = {
  Contested: 0,
  Drifted: 1,
  Unknown: 2,
  Healing: 3,
  Syncing: 4,
  Pending: 5,
  Unverifiable: 6,
  InSync: 7,
};

export function isAdrift(status: WatchedTarget['status'] | undefined): boolean {
  return status === 'Drifted' || status === 'Healing' || status === 'Contested';
}

export function watchStatusOf(state: WatchState): WatchStatus {
  const ranks = state.groups.flatMap(({ targets }) => targets.map(({ status }) => RANKS[status]));
  const worst = ranks.reduce((a, b) => Math.min(a, b), state.checkedAt === null || state.streams.length > 0 ? RANKS.Pending : RANKS.InSync);
  if (state.problem !== null && worst > RANKS.Unknown) return 'Unknown';
  if (worst === RANKS.Contested) return 'Contested';
  if (worst === RANKS.Drifted) return 'Drifted';
  if (worst === RANKS.Unknown) return 'Unknown';
  if (worst === RANKS.Healing) return 'Healing';
  return worst <= RANKS.Pending ? 'Pending' : 'InSync';
}

/** Worst first, with what is known of their heals. */
export function watchedTargets(state: WatchState): { readonly targets: readonly WatchedTarget[]; readonly more: number } {
  const records = new Map(state.healing.map((record) => [record.id, record]));
  const targets = state.groups
    .flatMap((group) => group.targets)
    .toSorted(worstFirst)
    .map((target) => {
      const record = records.get(target.id);
      if (!record || record.heals.length === 0) return target;
      const next = target.status === 'Drifted' ? nextHealAt(record) : undefined;
      return { ...target, heals: record.heals, ...(next !== undefined && { nextHealAt: next }) };
    });
  return { targets, more: state.groups.reduce((sum, { more }) => sum + more, 0) };
}

/** Keeps the worst of all groups, and the keys of the worst of them. */
export function boundedGroups(groups: readonly WatchedGroup[]): readonly WatchedGroup[] {
  const all = groups.flatMap(({ targets }) => targets).toSorted(worstFirst);
  if (all.length <= MOST_WITH_KEYS) return groups.map((group) => ({ ...group, targets: group.targets.map((target) => limited(target, MOST_KEYS)) }));
  const order = new Map(all.map((target, index) => [target, index]));
  return groups.map((group) => {
    const ranked = group.targets.toSorted(worstFirst).map((target) => [target, order.get(target) ?? MOST_TARGETS] as const);
    const kept = ranked.filter(([, rank]) => rank < MOST_TARGETS).map(([target, rank]) => limited(target, rank < MOST_WITH_KEYS ? MOST_KEYS : 0));
    return { ...group, targets: kept, more: group.more + group.targets.length - kept.length };
  });
}

function limited(target: WatchedTarget, most: number): WatchedTarget {
  const { keys = [], moreKeys = 0, message } = target;
  const isLong = message !== undefined && message.length > 300;
  if (keys.length <= most && !isLong) return target;
  const moreNow = moreKeys + Math.max(0, keys.length - most);
  return { ...target, ...(keys.length > 0 && { keys: keys.slice(0, most), moreKeys: moreNow }), ...(isLong && { message: `${message.slice(0, 300)}…` }) };
}

function worstFirst(a: WatchedTarget, b: WatchedTarget): number {
  return RANKS[a.status] - RANKS[b.status];
}
