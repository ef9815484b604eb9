import type { CheckedTarget, ForcedHeal, Freeze, HealRecord, TenantCheck, WatchedGroup, WatchedTarget, WatchState } from './drift.ts';
import { decideHeal, isOutdated, laterRecheck, withoutForgotten } from './heal-schedule.ts';
import { rotateSecrets } from './rotate-secrets.ts';
import { retryStreams } from './stream-retries.ts';
import { isMeant } from './target-ids.ts';
import { iso, nextTick } from './watch-clock.ts';
import type { DueCheck } from './watch-due.ts';
import { asking } from './watch-due.ts';
import { createNumbering, healRuns, rotationRuns, streamRuns, type Mending } from './watch-runs.ts';
import { boundedGroups, isAdrift } from './watch-state.ts';

const MOST_STREAMS = 200;
const MOST_RECORDS = 1_000;
/** While so many runs could not be handed over, no more are wanted. */
const MOST_WANTED = 500;
const MOST_POLL_BACKOFF_MS = 600_000;
const UNREACHED_AGAIN_MS = 30_000;
const USUAL_INTERVAL_MS = 60_000;

export interface CheckCircumstances {
  readonly tenant: string;
  readonly due: DueCheck;
  /** When it was asked for. */
  readonly askedAt: number;
  readonly now: number;
  readonly isPaused: boolean;
}

/** What is new of a target, for logs and metrics. */
export interface WatchEvent {
  readonly kind: 'drifted' | 'contested' | 'settled';
  readonly target: WatchedTarget;
}

/**
 * What a check means: how everything stands now, which runs it wants, and what is to be told. Part of a workflow: open runs are replayed with it, so a change of
 * what it wants needs `patched` there as a change of the workflow does.
 */
export function afterCheck(
  state: WatchState,
  check: TenantCheck,
  circumstances: CheckCircumstances,
): { readonly state: WatchState; readonly events: readonly WatchEvent[] } {
  const { tenant, due, now, isPaused } = circumstances;
  const mayWrite = !isPaused && check.freeze === null && state.wanted.length < MOST_WANTED;
  const events: WatchEvent[] = [];
  // A freeze of the tenant or of a rule has ended: what it held up is many runs' work.
  let hasThawed = state.freeze !== null;
  const mendings: Mending[] = [];
  const records = new Map(state.healing.map((record) => [record.id, record]));
  const before = new Map(state.groups.flatMap((group) => group.targets.map((target) => [target.id, { target, intervalMs: group.intervalMs }] as const)));

  const groups = check.intervals.map((intervalMs): WatchedGroup => {
    const old = state.groups.find((group) => group.intervalMs === intervalMs);
    const found = check.groups.find((group) => group.intervalMs === intervalMs);
    const dueAt = iso(nextTick(tenant, intervalMs, now));
    if (!found) return old ?? { intervalMs, dueAt: iso(now), digest: '', targets: [], more: 0 };
    if (found.targets === null) return old ? { ...old, dueAt } : { intervalMs, dueAt, digest: '', targets: [], more: found.more };
    return { intervalMs, dueAt, digest: found.digest, targets: found.targets.map((target) => look(target, intervalMs)), more: found.more };
  });
  const named = new Map(check.targets.map((target) => [target.id, look(target, before.get(target.id)?.intervalMs ?? USUAL_INTERVAL_MS)]));
  for (const id of due.targets) if (!named.has(id)) forget(id);

  const numbering = createNumbering(state.wantedCount, now);
  const polled = pollsOf(state, check, circumstances, mayWrite);
  const rotations = rotateSecrets(state, check, { now, mayWrite, isAsked: due.taken.everything });
  const wanted = [...healRuns(mendings, numbering), ...rotationRuns(rotations.starts, numbering), ...streamRuns(polled.starts, numbering)];
  const thawed = hasThawed && check.freeze === null && !isPaused;
  return {
    events,
    state: {
      ...state,
      groups: boundedGroups(withNamed(groups, named)),
      pollIntervals: polled.pollIntervals,
      streams: polled.streams,
      attempts: thawed ? [] : polled.attempts,
      pollProblems: check.streams === null && check.pollProblems.length === 0 ? state.pollProblems : check.pollProblems,
      freeze: check.freeze,
      secretVersions: rotations.versions,
      rotations: rotations.attempts,
      notifies: check.notifies,
      checkedAt: check.at,
      problem: null,
      goneAt: null,
      healing: withoutForgotten([...records.values()], now),
      wanted: [...state.wanted, ...wanted],
      wantedCount: numbering.count(),
      ...(thawed && { startAll: { by: 'the end of the freeze' } }),
    },
  };

  function look(target: CheckedTarget, intervalMs: number): WatchedTarget {
    const old = before.get(target.id)?.target;
    hasThawed ||= old?.freeze !== undefined && target.freeze === undefined;
    const record = records.get(target.id);
    if (isOutdated(record, circumstances.askedAt)) return old ?? { ...target, status: 'Healing', since: iso(now) };
    const forced = due.taken.forced.find(({ targets }) => targets === undefined || targets.some((asked) => isMeant(asked, target)));
    const decided = decideHeal(target, record, {
      now,
      askedAt: circumstances.askedAt,
      intervalMs,
      isForced: forced !== undefined,
      mayWrite: !isPaused && state.wanted.length < MOST_WANTED && isThawed(check.freeze, forced) && isThawed(target.freeze ?? null, forced),
    });
    // Where there is no room to remember a heal, it waits: without a memory there would be no limit.
    const hasRoom = records.has(target.id) || records.size < MOST_RECORDS;
    const decision = hasRoom ? decided : { ...decided, record: undefined, heal: false, status: target.status };
    if (decision.record) records.set(target.id, decision.record);
    else records.delete(target.id);
    const isSame = (isAdrift(old?.status) && isAdrift(decision.status)) || (old?.status === 'Unknown' && decision.status === 'Unknown');
    const since = isSame ? old?.since : isAdrift(decision.status) || decision.status === 'Unknown' ? iso(now) : undefined;
    const watched: WatchedTarget = { ...target, status: decision.status, ...(since !== undefined && { since }) };
    if (decision.heal) {
      const person = forced && { by: forced.by, ...(forced.force && { force: forced.force }) };
      const isAgain = !forced && (record?.heals.length ?? 0) > 0;
      mendings.push({ target, since: since ?? iso(now), ...person, ...(isAgain && { alone: true }) });
    }
    if (decision.alert) events.push({ kind: 'contested', target: { ...watched, ...(record && { heals: record.heals }) } });
    // A heal that has not stayed counts as drift anew.
    if (target.status === 'Drifted' && (!isAdrift(old?.status) || old?.status === 'Healing')) events.push({ kind: 'drifted', target: watched });
    if (isAdrift(old?.status) && (decision.status === 'InSync' || decision.status === 'Unverifiable')) events.push({ kind: 'settled', target: watched });
    return watched;
  }

  /** The bundle has no such target any more. */
  function forget(id: string): void {
    const record = records.get(id);
    if (!record) return;
    const { recheckAt: _at, recheckMs: _ms, isHealing: _is, ...rest }: HealRecord = record;
    records.set(id, rest);
  }
}

/** A check that failed says nothing about the targets; what was to be looked at again waits. */
export function afterFailedCheck(state: WatchState, due: DueCheck, problem: string | null, now: number): WatchState {
  const ids = new Set(due.targets);
  const healing = state.healing.map((record) => (ids.has(record.id) ? { ...record, ...laterRecheck(record, { now, intervalMs: USUAL_INTERVAL_MS }) } : record));
  return { ...state, healing, problem, asked: asking(state.asked, due.taken) };
}

function isThawed(freeze: Freeze | null, forced: ForcedHeal | undefined): boolean {
  return freeze === null || forced?.force === true;
}

function withNamed(groups: readonly WatchedGroup[], named: ReadonlyMap<string, WatchedTarget>): readonly WatchedGroup[] {
  if (named.size === 0) return groups;
  const listed = new Set(groups.flatMap(({ targets }) => targets.map(({ id }) => id)));
  const unlisted = [...named.values()].filter(({ id }) => !listed.has(id));
  return groups.map((group, index) => {
    const targets = [...group.targets.map((target) => named.get(target.id) ?? target), ...(index === 0 ? unlisted : [])];
    const isNews = group.targets.some(({ id }) => named.has(id));
    return { ...group, targets, ...(isNews && { digest: '' }) };
  });
}

function pollsOf(state: WatchState, check: TenantCheck, { tenant, due, now }: CheckCircumstances, mayWrite: boolean) {
  const hasFailed = check.streams !== null && check.polled.length === 0 && check.pollProblems.length > 0;
  const pollIntervals = check.pollIntervals.map((intervalMs) => {
    const old = state.pollIntervals.find((each) => each.intervalMs === intervalMs);
    const wasAsked = due.polls === 'all' || due.polls.includes(intervalMs);
    if (!wasAsked) return old ?? { intervalMs, dueAt: iso(now), failures: 0 };
    const failures = hasFailed ? Math.min((old?.failures ?? 0) + 1, 10) : 0;
    const backoffMs = Math.max(intervalMs, Math.min(intervalMs * 2 ** failures, MOST_POLL_BACKOFF_MS));
    return { intervalMs, dueAt: iso(nextTick(tenant, failures === 0 ? intervalMs : backoffMs, now)), failures };
  });
  if (check.streams === null) return { pollIntervals, streams: state.streams, attempts: state.attempts, starts: [] };
  const kept = state.streams
    .filter(({ repository }) => !check.polled.includes(repository))
    .map((each) =>
      each.nextAttemptAt !== undefined && Date.parse(each.nextAttemptAt) <= now ? { ...each, nextAttemptAt: iso(now + UNREACHED_AGAIN_MS) } : each,
    );
  const { streams, attempts, starts } = retryStreams(check.streams, state.attempts, now, mayWrite);
  return { pollIntervals, streams: [...streams, ...kept].slice(0, MOST_STREAMS), attempts, starts };
}
