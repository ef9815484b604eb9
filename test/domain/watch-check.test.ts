import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StreamNews } from '../../domain/drift.ts';
import { asking } from '../../domain/watch-due.ts';
import { watchedTargets, watchStatusOf } from '../../domain/watch-state.ts';
import { createWatchWorld, MINUTE, SECOND, START, type WorldTarget } from './watch-world.ts';

const RUNS = { numRuns: 50 };

type World = ReturnType<typeof createWatchWorld>;

const arbitraryTarget = fc.record(
  {
    mode: fc.constantFrom('heal', 'warn'),
    intervalMs: fc.constantFrom(10 * SECOND, MINUTE),
    fightsAfterMs: fc.integer({ min: 1, max: 5 * MINUTE }),
    fights: fc.integer({ min: 0, max: 12 }),
    failingHeals: fc.integer({ min: 0, max: 7 }),
  },
  { requiredKeys: [] },
);
const arbitraryTargets: fc.Arbitrary<readonly WorldTarget[]> = fc
  .array(arbitraryTarget, { minLength: 1, maxLength: 4 })
  .map((all) => all.map((each, index) => ({ ...each, id: `t${index}` })));
type Act = {
  readonly afterMs: number;
  readonly act: 'drift' | 'lose' | 'find' | 'pause' | 'resume' | 'freeze' | 'thaw' | 'fail' | 'work' | 'checkNow';
  readonly index: number;
};
const arbitraryActs: fc.Arbitrary<readonly Act[]> = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 0, max: 4 * MINUTE }),
    act: fc.constantFrom('drift', 'drift', 'drift', 'lose', 'find', 'pause', 'resume', 'freeze', 'thaw', 'fail', 'work', 'checkNow'),
    index: fc.nat(3),
  }),
  { maxLength: 25 },
);

function play(world: World, targets: readonly WorldTarget[], acts: readonly Act[], each?: () => void): void {
  for (const { afterMs, act, index } of acts) {
    world.run(afterMs, each);
    const id = targets[index % targets.length]?.id ?? '';
    if (act === 'drift') world.drift(id);
    else if (act === 'lose') world.standing(id).isUnknown = true;
    else if (act === 'find') world.standing(id).isUnknown = false;
    else if (act === 'pause') world.isPaused = true;
    else if (act === 'resume') world.isPaused = false;
    else if (act === 'freeze') world.freeze = { reason: 'the weekend', until: new Date(world.now + 3 * MINUTE).toISOString() };
    else if (act === 'thaw') world.freeze = null;
    else if (act === 'fail') world.fails = true;
    else if (act === 'work') world.fails = false;
    else world.state = { ...world.state, asked: asking(world.state.asked, { targets: [id] }) };
  }
}

describe('a watch, whatever happens,', () => {
  it('wants no run of any kind while the tenant is paused or frozen (I12)', () => {
    fc.assert(
      fc.property(arbitraryTargets, arbitraryActs, (targets, acts) => {
        const world = createWatchWorld(targets);
        world.streams = [moved('main', 'c1')];
        let seen = 0;
        let mayStart = true;
        // Looks at every step whether what began before it could begin.
        const each = (): void => {
          const begun = world.started.slice(seen);
          seen = world.started.length;
          if (!mayStart) expect(begun).toEqual([]);
          mayStart = !world.isPaused && world.freeze === null;
        };
        for (const act of acts) {
          play(world, targets, [act], each);
          each();
          seen = world.started.length;
          mayStart = !world.isPaused && world.freeze === null;
        }
      }),
      RUNS,
    );
  });

  it('heals no target more than five times in ten minutes', () => {
    fc.assert(
      fc.property(arbitraryTargets, arbitraryActs, (targets, acts) => {
        const world = createWatchWorld(targets);
        play(world, targets, acts);
        world.run(30 * MINUTE);
        for (const { id } of targets) {
          const times = world.heals(id).map(({ at }) => at);
          for (const at of times) expect(times.filter((other) => other > at - 10 * MINUTE && other <= at).length).toBeLessThanOrEqual(5);
        }
      }),
      RUNS,
    );
  });

  it('heals every target of a rule that heals at last, once nobody fights and nothing is held up', () => {
    fc.assert(
      fc.property(arbitraryTargets, arbitraryActs, (fought, acts) => {
        const targets = fought.map((target) => ({ fights: 12, ...target }));
        const world = createWatchWorld(targets);
        play(world, targets, acts);
        Object.assign(world, { isPaused: false, freeze: null, fails: false });
        for (const { id } of targets) Object.assign(world.standing(id), { isUnknown: false });
        // Twelve fights and seven failures at most, of five in ten minutes, each time after ten that are quiet.
        world.run(4 * 60 * MINUTE);
        for (const { id, mode } of targets) {
          if (mode !== 'warn') expect([id, world.standing(id).isDrifted, world.statusOf(id)]).toEqual([id, false, 'InSync']);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('never heals what it could not read, and nothing of a rule that only warns', () => {
    fc.assert(
      fc.property(arbitraryTargets, arbitraryActs, (targets, acts) => {
        const world = createWatchWorld(targets.map((target) => ({ ...target, mode: target.mode ?? 'warn' })));
        for (const { id } of targets) {
          world.standing(id).isUnknown = true;
          world.drift(id);
        }
        play(
          world,
          targets,
          acts.filter(({ act }) => act !== 'find'),
        );
        world.run(5 * MINUTE);
        expect(world.started).toEqual([]);
      }),
      RUNS,
    );
  });

  it('keeps a state that stays small and is the same after it was written and read', () => {
    fc.assert(
      fc.property(arbitraryTargets, arbitraryActs, (targets, acts) => {
        const world = createWatchWorld(targets);
        play(world, targets, acts);
        expect(JSON.parse(JSON.stringify(world.state))).toEqual(world.state);
        expect(JSON.stringify(world.state).length).toBeLessThan(20_000);
      }),
      RUNS,
    );
  });
});

describe('a watch', () => {
  it('heals what drifted at the commit that was applied, looks again soon, and says so', () => {
    const world = createWatchWorld([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
    world.run(1);
    expect(watchStatusOf(world.state)).toBe('InSync');
    world.drift('a');
    world.drift('c');
    world.run(MINUTE);
    expect(world.started.map(({ run }) => [run.request.trigger, run.request.commit, run.request.only])).toEqual([['heal', 'a'.repeat(40), ['a', 'c']]]);
    world.run(3 * SECOND);
    expect(watchStatusOf(world.state)).toBe('InSync');
    expect(world.events.map(({ kind, target }) => `${kind} ${target.id}`)).toEqual(['drifted a', 'drifted c', 'settled a', 'settled c']);
  });

  it('heals what a sink tells of with the check of that target alone', () => {
    const world = createWatchWorld([{ id: 'a', intervalMs: 60 * MINUTE }]);
    world.run(SECOND);
    world.drift('a');
    world.state = { ...world.state, asked: asking(world.state.asked, { targets: ['a'] }) };
    const before = world.checks;
    world.run(1);
    expect(world.checks - before).toBe(1);
    expect(world.heals('a')).toHaveLength(1);
  });

  it('lets whoever fights win after five heals, tells it once, and heals again when it has been quiet for ten minutes', () => {
    const world = createWatchWorld([{ id: 'a', fightsAfterMs: 10, fights: 5 }]);
    world.drift('a');
    world.run(4 * MINUTE);
    expect(world.heals('a')).toHaveLength(5);
    expect(world.statusOf('a')).toBe('Contested');
    expect(watchStatusOf(world.state)).toBe('Contested');
    expect(world.events.filter(({ kind }) => kind === 'contested')).toHaveLength(1);
    const gaps = world.heals('a').map(({ at }, index, all) => Math.round((at - (all[index - 1]?.at ?? at)) / SECOND));
    expect(gaps).toEqual([0, 2, 6, 18, 54]);
    world.run(12 * MINUTE);
    expect(world.heals('a')).toHaveLength(6);
    expect(world.statusOf('a')).toBe('InSync');
    expect(world.events.filter(({ kind }) => kind === 'contested')).toHaveLength(1);
  });

  it('heals a contested target at once when a person says so', () => {
    const world = createWatchWorld([{ id: 'a', fightsAfterMs: 10, fights: 5 }, { id: 'b@main' }]);
    world.drift('a');
    world.run(4 * MINUTE);
    world.state = { ...world.state, asked: asking(world.state.asked, { forced: [{ by: 'ann', targets: ['a'] }] }) };
    world.run(3 * SECOND);
    expect(world.heals('a').at(-1)?.run.request).toMatchObject({ by: 'ann', only: ['a'] });
    expect(world.statusOf('a')).toBe('InSync');
  });

  it('heals in a freeze only what a person forces, and brings every stream to its head when the freeze ends', () => {
    const world = createWatchWorld([{ id: 'a' }, { id: 'b' }]);
    world.freeze = { reason: 'the weekend', until: new Date(START + 10 * MINUTE).toISOString() };
    world.drift('a');
    world.drift('b');
    world.run(MINUTE);
    world.state = { ...world.state, asked: asking(world.state.asked, { forced: [{ by: 'ann' }] }) };
    world.run(MINUTE);
    expect(world.started).toEqual([]);
    world.state = { ...world.state, asked: asking(world.state.asked, { forced: [{ by: 'ann', targets: ['b'], force: true }] }) };
    world.run(MINUTE);
    expect(world.started.map(({ run }) => [run.request.only, run.request.force])).toEqual([[['b'], true]]);
    expect(world.state.startAll).toBeNull();
    world.run(7 * MINUTE - 1);
    world.freeze = null;
    world.run(SECOND);
    expect(world.state.startAll).toEqual({ by: 'the end of the freeze' });
  });

  it('heals nothing of a rule that is frozen, and brings every stream to its head when that ends', () => {
    const world = createWatchWorld([{ id: 'a' }]);
    world.ruleFreeze = { reason: 'the weekend', until: new Date(START + 10 * MINUTE).toISOString() };
    world.drift('a');
    world.run(5 * MINUTE);
    expect([world.started, world.statusOf('a'), world.state.startAll]).toEqual([[], 'Drifted', null]);
    world.ruleFreeze = null;
    world.run(MINUTE);
    expect(world.state.startAll).toEqual({ by: 'the end of the freeze' });
    expect(world.heals('a')).toHaveLength(1);
  });

  it('starts a run of the whole stream where a ledger is gone', () => {
    const world = createWatchWorld([{ id: 'a', remedy: 'sync' }]);
    world.drift('a');
    world.run(SECOND);
    expect(world.started[0]?.run.request).toMatchObject({ trigger: 'poll', ref: { kind: 'branch', name: 'main' } });
    expect(world.started[0]?.run.request).not.toHaveProperty('only');
    expect(world.started[0]?.run.request).not.toHaveProperty('commit');
  });

  it('starts what refers to a secret with a newer version once, and after a pause if there is one', () => {
    const world = createWatchWorld([{ id: 'a' }, { id: 'b' }]);
    world.run(SECOND);
    world.isPaused = true;
    world.state = { ...world.state, secretVersions: { 'vault:app': 1 } };
    const target = world.state.groups[0]?.targets[0];
    world.rotated = [{ secret: 'vault:app', version: 2, targets: [{ ...target, status: 'InSync' } as never] }];
    world.run(3 * MINUTE);
    expect(world.started).toEqual([]);
    expect(world.state.secretVersions).toEqual({ 'vault:app': 1 });
    world.isPaused = false;
    world.run(3 * MINUTE);
    expect(world.started.map(({ run }) => [run.request.trigger, run.request.only])).toEqual([['rotation', ['a']]]);
    expect(world.state.secretVersions).toEqual({ 'vault:app': 2 });
  });

  it('tries a rotation that failed again after a time that grows, at once for a person or a newer version, and forgets it when it is told no more', () => {
    const world = createWatchWorld([{ id: 'a' }]);
    world.run(SECOND);
    const target = world.state.groups[0]?.targets[0];
    const rotated = (version: number, again: boolean): void => {
      world.rotated = [{ secret: 'vault:app', version, targets: [{ ...target, status: 'InSync' } as never], ...(again && { again }) }];
    };
    const rotations = (): number => world.started.filter(({ run }) => run.request.trigger === 'rotation').length;
    rotated(2, false);
    world.run(2 * MINUTE);
    expect(rotations()).toBe(1);
    rotated(2, true);
    world.run(60 * MINUTE);
    const tried = rotations();
    expect(tried).toBeGreaterThan(4);
    expect(tried).toBeLessThan(14);
    world.state = { ...world.state, asked: asking(world.state.asked, { everything: true }) };
    world.run(SECOND);
    expect(rotations()).toBe(tried + 1);
    rotated(3, false);
    world.run(MINUTE + SECOND);
    expect(rotations()).toBe(tried + 2);
    world.rotated = [];
    world.run(60 * MINUTE);
    expect(world.state.rotations).toEqual([]);
  });

  it('says nothing new of targets whose check failed, and that it does not know', () => {
    const world = createWatchWorld([{ id: 'a' }]);
    world.run(SECOND);
    world.fails = true;
    world.state = { ...world.state, asked: asking(world.state.asked, { targets: ['a'] }) };
    const due = { groups: [], polls: [], targets: ['a'], taken: { everything: false, targets: ['a'], forced: [] } };
    world.check(due);
    expect(watchStatusOf(world.state)).toBe('Unknown');
    expect(world.statusOf('a')).toBe('InSync');
    expect(world.state.asked.targets).toEqual(['a']);
    world.fails = false;
    world.check(due);
    expect(watchStatusOf(world.state)).toBe('InSync');
  });

  it('remembers how often a target was healed also where its lists leave it out', () => {
    const many = Array.from({ length: 1_500 }, (_, index) => ({ id: `t${index}`, mode: 'warn' as const }));
    const world = createWatchWorld([...many, { id: 'a', fightsAfterMs: 10, fights: 20 }]);
    for (const { id } of many) world.drift(id);
    world.drift('a');
    world.run(5 * MINUTE);
    expect(world.state.groups.reduce((sum, { targets }) => sum + targets.length, 0)).toBe(1_000);
    expect(watchedTargets(world.state).more).toBe(501);
    expect(world.heals('a').length).toBeLessThanOrEqual(5);
    expect(JSON.stringify(world.state).length).toBeLessThan(800_000);
  });

  it('checks a day long as often as the rules say, and once for intervals that meet', () => {
    const world = createWatchWorld([
      { id: 'a', intervalMs: 30 * SECOND },
      { id: 'b', intervalMs: MINUTE },
    ]);
    world.run(24 * 60 * MINUTE);
    expect(world.checks).toBeGreaterThanOrEqual(2 * 24 * 60);
    expect(world.checks).toBeLessThanOrEqual(2 * 24 * 60 + 2);
  });
});

function moved(stream: string, head: string): StreamNews {
  return { repository: 'config', stream, event: { kind: 'branch', name: stream }, head, state: 'moved' };
}
