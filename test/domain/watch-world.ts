import type { CheckedTarget, StreamNews, TenantCheck, WantedRun, WatchState } from '../../domain/drift.ts';
import { afterCheck, afterFailedCheck, type WatchEvent } from '../../domain/watch-check.ts';
import { dueByName, dueByTime, nextByName, nextByTime, taking, type DueCheck } from '../../domain/watch-due.ts';
import { newWatch } from '../../domain/watch-state.ts';

export const START = Date.parse('2026-03-01T00:00:00.000Z');
export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;

/** A target of a world without servers, and who works against it. */
export interface WorldTarget {
  readonly id: string;
  readonly mode?: 'heal' | 'warn';
  readonly intervalMs?: number;
  readonly remedy?: 'heal' | 'sync';
  /** Something changes it back so long after each heal; with `times`, only so often. */
  readonly fightsAfterMs?: number;
  readonly fights?: number;
  /** Heals so many times in vain. */
  readonly failingHeals?: number;
}

interface Standing {
  isDrifted: boolean;
  version: number;
  isUnknown: boolean;
  syncingUntil: number;
  fights: number;
  failing: number;
  fightAt: number;
}

/** What the workflow does with the pure decisions, against a world in memory, at its own time. */
export function createWatchWorld(
  targets: readonly WorldTarget[],
  options: { readonly tenant?: string; readonly healMs?: number; readonly checkMs?: number } = {},
) {
  const { tenant = 'acme', healMs = 200, checkMs = 50 } = options;
  const standings = new Map<string, Standing>(
    targets.map(({ id, fights = Number.POSITIVE_INFINITY, failingHeals = 0 }) => [
      id,
      { isDrifted: false, version: 0, isUnknown: false, syncingUntil: 0, fights, failing: failingHeals, fightAt: Number.POSITIVE_INFINITY },
    ]),
  );
  const world = {
    now: START,
    state: newWatch(),
    isPaused: false,
    freeze: null as TenantCheck['freeze'],
    /** Of the rule of all targets. */
    ruleFreeze: null as TenantCheck['freeze'],
    streams: [] as readonly StreamNews[],
    pollIntervals: [MINUTE] as readonly number[],
    rotated: [] as TenantCheck['rotated'],
    fails: false,
    heldUntil: 0,
    checks: 0,
    started: [] as { readonly at: number; readonly run: WantedRun }[],
    events: [] as WatchEvent[],
    standing: (id: string): Standing => standings.get(id) as Standing,
    drift(id: string): void {
      Object.assign(world.standing(id), { isDrifted: true, version: world.standing(id).version + 1 });
    },
    heals: (id?: string) => world.started.filter(({ run }) => run.request.trigger === 'heal' && (id === undefined || run.request.only?.includes(id))),
    statusOf: (id: string) => world.state.groups.flatMap((group) => group.targets).find((target) => target.id === id)?.status,
    /** Lets time pass; `each` is called before every step. */
    run(forMs: number, each: () => void = () => undefined): void {
      const end = world.now + forMs;
      for (;;) {
        each();
        settle();
        step();
        const next = Math.min(
          nextByTime(world.state, world.now, !world.isPaused),
          nextByName(world.state, world.now),
          ...[...standings.values()].map(({ fightAt }) => fightAt),
        );
        if (next > end) break;
        world.now = Math.max(world.now + 1, next, Math.min(world.heldUntil, end));
      }
      world.now = end;
      settle();
    },
    check(due: DueCheck): void {
      const askedAt = world.now;
      world.state = { ...world.state, asked: taking(world.state.asked, due.taken) };
      const found = look(due);
      world.now += checkMs;
      world.checks++;
      if (world.fails) {
        world.state = afterFailedCheck(world.state, due, 'no worker', world.now);
        world.heldUntil = world.now + 30 * SECOND;
      } else {
        const after = afterCheck(world.state, found, { tenant, due, askedAt, now: world.now, isPaused: world.isPaused });
        world.events.push(...after.events);
        // As a continued run gets it.
        world.state = JSON.parse(JSON.stringify(after.state)) as WatchState;
      }
      for (const run of world.state.wanted) start(run);
      world.state = { ...world.state, wanted: [] };
    },
  };

  function step(): void {
    if (world.now < world.heldUntil) return;
    const byTime = dueByTime(world.state, world.now, !world.isPaused);
    if (byTime) world.check(byTime);
    const byName = dueByName(world.state, world.now);
    if (byName) world.check(byName);
  }

  function settle(): void {
    for (const [id, standing] of standings) {
      if (standing.fightAt > world.now) continue;
      standing.fightAt = Number.POSITIVE_INFINITY;
      if (standing.fights-- > 0) world.drift(id);
    }
  }

  function start(run: WantedRun): void {
    world.started.push({ at: world.now, run });
    for (const id of run.request.only ?? []) {
      const standing = world.standing(id);
      const target = targets.find((each) => each.id === id);
      standing.syncingUntil = world.now + healMs;
      if (standing.failing-- > 0) continue;
      standing.isDrifted = false;
      if (target?.fightsAfterMs !== undefined) standing.fightAt = world.now + healMs + target.fightsAfterMs;
    }
  }

  function look(due: DueCheck): TenantCheck {
    const intervals = [...new Set(targets.map(intervalOf))];
    const asked = due.groups === 'all' ? intervals : due.groups.map(({ intervalMs }) => intervalMs);
    return {
      kind: 'checked',
      at: new Date(world.now).toISOString(),
      intervals,
      groups: asked.map((intervalMs) => ({ intervalMs, targets: targets.filter((each) => intervalOf(each) === intervalMs).map(found), more: 0, digest: 'd' })),
      targets: targets.filter(({ id }) => due.targets.includes(id)).map(found),
      pollIntervals: world.pollIntervals,
      streams: due.polls.length === 0 ? null : world.streams,
      polled: due.polls.length === 0 ? [] : ['config'],
      moreStreams: 0,
      pollProblems: [],
      freeze: world.freeze,
      rotated: world.rotated,
      secretVersions: Object.fromEntries(world.rotated.map(({ secret, version }) => [secret, version])),
      notifies: false,
    };
  }

  function found(target: WorldTarget): CheckedTarget {
    const { isDrifted, version, isUnknown, syncingUntil } = world.standing(target.id);
    const status = syncingUntil > world.now ? 'Syncing' : isUnknown ? 'Unknown' : isDrifted ? 'Drifted' : 'InSync';
    return {
      id: target.id,
      rule: 'settings',
      environment: 'production',
      sink: 'cache',
      kind: 'redis',
      place: target.id,
      repository: 'config',
      stream: 'main',
      event: { kind: 'branch', name: 'main' },
      mode: target.mode ?? 'heal',
      status,
      commit: 'a'.repeat(40),
      ...(world.ruleFreeze && { freeze: world.ruleFreeze }),
      ...(status === 'Drifted' && {
        remedy: target.remedy ?? 'heal',
        digest: String(version),
        keys: [{ key: 'k', drift: 'changed', expected: 'e', live: String(version) }],
      }),
    };
  }

  return world;
}

function intervalOf({ intervalMs = MINUTE }: WorldTarget): number {
  return intervalMs;
}
