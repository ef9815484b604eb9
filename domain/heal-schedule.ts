import type { CheckedTarget, HealRecord, WatchedTarget } from './drift.ts';
import { iso } from './watch-clock.ts';

const WINDOW_MS = 600_000;
const MOST_HEALS = 5;
const FIRST_BACKOFF_MS = 2_000;
const MOST_BACKOFF_MS = 300_000;
const FIRST_RECHECK_MS = 1_000;
/** Longer than a pause of a day, in which nothing heals. */
const CONTEST_ENDS_AFTER_MS = 7 * 86_400_000;

export interface HealCircumstances {
  readonly now: number;
  /** When the check was asked for: what it saw is not older. */
  readonly askedAt: number;
  /** No pause, and no freeze. */
  readonly mayWrite: boolean;
  /** A person wants it, whatever was tried before. */
  readonly isForced: boolean;
  readonly intervalMs: number;
}

export interface HealDecision {
  readonly status: WatchedTarget['status'];
  /** Undefined: nothing is to be remembered. */
  readonly record: HealRecord | undefined;
  readonly heal: boolean;
  /** It has just become contested. */
  readonly alert: boolean;
}

/**
 * What a fresh look at a target means for its heals. The first is at once; each of those that follow within ten minutes waits longer; after five, whatever
 * changes it back is left to win and to be told of, until nothing has changed there for ten minutes. A heal that fails looks the same, and is treated the same.
 */
export function decideHeal(target: CheckedTarget, before: HealRecord | undefined, circumstances: HealCircumstances): HealDecision {
  const { now, isForced, mayWrite } = circumstances;
  const heals = (before?.heals ?? []).filter((at) => Date.parse(at) > now - WINDOW_MS);
  const rest: HealRecord = { id: target.id, heals, ...contestOf(before, target, now) };
  const keep = (status: WatchedTarget['status'], record: HealRecord = rest): HealDecision => ({
    status,
    record: worthKeeping(record),
    heal: false,
    alert: false,
  });

  if (target.status === 'Syncing' || (target.status === 'Unknown' && before?.isHealing)) {
    const isHealing = before?.isHealing && { isHealing: true as const };
    return keep(target.status === 'Syncing' && isHealing ? 'Healing' : target.status, { ...rest, ...isHealing, ...laterRecheck(before, circumstances) });
  }
  if (target.status !== 'Drifted') return keep(target.status);
  const isWanted = target.remedy !== undefined && (target.mode === 'heal' || isForced);
  if (!isWanted || !mayWrite) return keep(rest.contestedAt === undefined ? 'Drifted' : 'Contested');
  if (isForced) return heal({ id: target.id, heals: [] }, now);
  if (rest.contestedAt !== undefined) {
    const isQuiet = now - Date.parse(rest.seenSince ?? rest.contestedAt) >= WINDOW_MS;
    return isQuiet ? heal({ id: target.id, heals }, now) : keep('Contested');
  }
  const last = heals.at(-1);
  if (last === undefined) return heal(rest, now);
  if (heals.length >= MOST_HEALS) {
    const contested = { contestedAt: iso(now), seen: seenOf(target), seenSince: iso(now) };
    return { ...keep('Contested', { ...rest, ...contested }), alert: true };
  }
  const next = Date.parse(last) + backoffMs(heals.length);
  return now >= next ? heal(rest, now) : keep('Drifted', { ...rest, recheckAt: iso(next) });
}

/** A check that began before the last heal says nothing about what the heal did. */
export function isOutdated(record: HealRecord | undefined, askedAt: number): boolean {
  const last = record?.heals.at(-1);
  return last !== undefined && askedAt <= Date.parse(last);
}

/** When the next heal may be tried; undefined: at once, or never as long as it is contested. */
export function nextHealAt(record: HealRecord): string | undefined {
  const last = record.heals.at(-1);
  if (last === undefined || record.contestedAt !== undefined) return undefined;
  return iso(Date.parse(last) + backoffMs(record.heals.length));
}

/** The next look, each after twice the time of the one before and at most after the interval. */
export function laterRecheck(before: HealRecord | undefined, { now, intervalMs }: Pick<HealCircumstances, 'now' | 'intervalMs'>) {
  const recheckMs = Math.max(FIRST_RECHECK_MS, Math.min((before?.recheckMs ?? FIRST_RECHECK_MS / 2) * 2, intervalMs));
  return { recheckMs, recheckAt: iso(now + recheckMs) };
}

/** Targets that the bundle no longer has are not looked at again: what is remembered of them ends by itself. */
export function withoutForgotten(records: readonly HealRecord[], now: number): readonly HealRecord[] {
  return records.filter(({ heals, recheckAt, seenSince }) => {
    if (recheckAt !== undefined) return true;
    const times = [
      ...heals.slice(-1).map((at) => Date.parse(at) + WINDOW_MS),
      ...(seenSince === undefined ? [] : [Date.parse(seenSince) + CONTEST_ENDS_AFTER_MS]),
    ];
    return times.some((at) => at > now);
  });
}

function backoffMs(heals: number): number {
  return Math.min(FIRST_BACKOFF_MS * 3 ** (heals - 1), MOST_BACKOFF_MS);
}

function heal(record: HealRecord, now: number): HealDecision {
  const begun = { ...record, heals: [...record.heals, iso(now)].slice(-MOST_HEALS), isHealing: true as const };
  return { status: 'Healing', record: { ...begun, recheckMs: FIRST_RECHECK_MS, recheckAt: iso(now + FIRST_RECHECK_MS) }, heal: true, alert: false };
}

/** A contest goes on while what is there changes; one that is over is forgotten, here or by the next heal. */
function contestOf(before: HealRecord | undefined, target: CheckedTarget, now: number): Partial<HealRecord> {
  if (before?.contestedAt === undefined) return {};
  // Nothing was seen.
  if (target.status === 'Unknown' || target.status === 'Syncing') return { contestedAt: before.contestedAt, ...seenBefore(before) };
  const seen = seenOf(target);
  const seenSince = before.seen === seen ? (before.seenSince ?? iso(now)) : iso(now);
  const isOver = target.status !== 'Drifted' && now - Date.parse(seenSince) >= WINDOW_MS;
  return isOver ? {} : { contestedAt: before.contestedAt, seen, seenSince };
}

function seenBefore({ seen, seenSince }: HealRecord): Partial<HealRecord> {
  return { ...(seen !== undefined && { seen }), ...(seenSince !== undefined && { seenSince }) };
}

function seenOf({ status, digest }: CheckedTarget): string {
  return status === 'Drifted' ? (digest ?? '') : status;
}

function worthKeeping(record: HealRecord): HealRecord | undefined {
  return record.heals.length > 0 || record.recheckAt !== undefined || record.contestedAt !== undefined ? record : undefined;
}
