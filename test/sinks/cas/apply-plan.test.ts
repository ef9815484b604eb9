import { afterEach, describe, expect, test, vi } from 'vitest';
import type { WritePlan } from '../../../domain/plan.ts';
import { failure } from '../contract/scenario.ts';
import { createMemoryStore, type MemoryStore } from './memory-store.ts';
import { createStage, stopAt } from './stage.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** Nothing after the write of this item arrives any more. */
function crashAt(store: MemoryStore, name: string): void {
  let isGone = false;
  store.beforeWrite = async (at) => {
    isGone ||= at === name;
    if (isGone) throw new TypeError('crashed');
  };
}

function revive(store: MemoryStore): void {
  store.beforeWrite = async () => undefined;
}

describe.each([
  ['steps', 0],
  ['transactions of 2', 2],
])('a writer in %s that stopped after its claim, when another took over', (_name, transactionSize) => {
  test.each([
    ['its record', 'app.undo', { host: 'two' }],
    ['its record, and a value that the other leaves as it is', 'app.undo', { host: 'zero', more: 'x' }],
    ['a value that the other changed', 'app/host', { host: 'two' }],
    ['its last step', 'app.ledger', { host: 'two' }],
  ])('before %s, writes nothing any more', async (_at, name, newer) => {
    const store = createMemoryStore({ transactionSize });
    const stage = createStage(store);
    await stage.sync({ host: 'zero' });
    const late = await stage.planWrite({ host: 'one' });
    const claimed = stopAt(store, 'app.ledger');
    const attempt = failure(stage.apply(late), 'conflict');
    await claimed.reached;
    const stop = stopAt(store, name);
    claimed.go();
    await stop.reached;
    await stage.sync(newer);
    const after = [stage.values(), stage.ledger()];
    stop.go();
    await attempt;
    expect([stage.values(), stage.ledger()]).toEqual(after);
  });
});

test('a writer without transactions asks for its claim before a value once some seconds have passed, whatever the value is', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const store = createMemoryStore();
  const stage = createStage(store);
  await stage.sync({ host: 'zero' });
  const late = await stage.planWrite({ host: 'one' });
  store.beforeWrite = async (name) => {
    if (name !== 'app.undo') return;
    // The process is stopped here, while another one claims the place and leaves the value as it was.
    vi.setSystemTime(Date.now() + 6_000);
    store.set('app.ledger', `${JSON.stringify(stage.ledger())} `);
  };
  await failure(stage.apply(late), 'conflict');
  expect(stage.values()).toEqual({ host: 'zero' });
});

test.each([
  ['steps', 0],
  ['transactions of 2', 2],
])('in %s a stranger who makes a key after the claim keeps it, and all else goes back', async (_name, transactionSize) => {
  const store = createMemoryStore({ transactionSize });
  const stage = createStage(store);
  await stage.sync({ host: 'zero', old: 'x' });
  const made = await stage.planWrite({ host: 'one', fresh: 'ours' });
  store.beforeWrite = async (name) => {
    if (name === 'app/fresh') store.set('app/fresh', 'theirs');
  };
  await failure(stage.apply(made), 'conflict');
  expect(stage.values()).toEqual({ host: 'zero', old: 'x', fresh: 'theirs' });
  expect(stage.ledger()).toMatchObject({ state: 'committed', generation: 3, write: `undo:${made.ledger.write}` });
  expect(Object.keys(stage.ledger()?.keys ?? {}).toSorted()).toEqual(['host', 'old']);
});

test('in one transaction a stranger who makes a key at the last moment keeps it, and nothing was written', async () => {
  const store = createMemoryStore({ transactionSize: 10 });
  const stage = createStage(store);
  await stage.sync({ host: 'zero', old: 'x' });
  const before = stage.ledger();
  const made = await stage.planWrite({ host: 'one', fresh: 'ours' });
  store.beforeWrite = async (name) => {
    if (name === 'app/fresh') store.set('app/fresh', 'theirs');
  };
  await failure(stage.apply(made), 'conflict');
  expect(stage.values()).toEqual({ host: 'zero', old: 'x', fresh: 'theirs' });
  expect(stage.ledger()).toEqual(before);
});

test.each([
  ['one transaction', 10],
  ['transactions of 3', 3],
])('in %s a key that is adopted while a stranger changes it at the last moment does not become ours', async (_name, transactionSize) => {
  const store = createMemoryStore({ transactionSize });
  const stage = createStage(store);
  store.set('app/same', 'x');
  const made = await stage.planWrite({ same: 'x', a: '1', b: '2' });
  store.beforeWrite = async (name) => {
    if (name === 'app/same') store.set('app/same', 'theirs');
  };
  await failure(stage.apply(made), 'conflict');
  revive(store);
  expect(stage.values()).toEqual({ same: 'theirs' });
  expect(Object.keys(stage.ledger()?.keys ?? {})).toEqual([]);
});

// What began in steps may go on where a transaction takes what is left, and the reverse: a bundle or a server's limits change between two attempts.
describe.each([
  ['steps', 0, 'steps', 0],
  ['steps', 0, 'one transaction', 10],
  ['transactions of 2', 2, 'steps', 0],
  ['transactions of 2', 2, 'one transaction', 10],
])('a write that ended half-way in %s, with the next one in %4$s', (_first, first, _second, second) => {
  async function half(crash: string) {
    const store = createMemoryStore({ transactionSize: first });
    const stage = createStage(store);
    await stage.sync({ host: 'zero', old: 'x' });
    const made = await stage.planWrite({ host: 'one', a: '1' });
    crashAt(store, crash);
    await expect(stage.apply(made)).rejects.toThrow('crashed');
    revive(store);
    expect(stage.ledger()).toMatchObject({ state: 'intent', generation: made.ledger.generation });
    const later = createMemoryStore({ transactionSize: second, stored: store.stored });
    return { stage: createStage(later), made };
  }
  const crashes = ['app.undo', 'app/host', 'app/a', 'app/old'];

  test.each(crashes)('is gone on with by its own retry after %s, and undone to what was before', async (crash) => {
    const { stage, made } = await half(crash);
    expect(await stage.apply(made)).toEqual({ generation: made.ledger.generation, writes: 3 });
    expect(stage.values()).toEqual({ host: 'one', a: '1' });
    expect(stage.ledger()).toEqual(made.ledger);
    await stage.restore(made.ledger.generation);
    expect(stage.values()).toEqual({ host: 'zero', old: 'x' });
  });

  test.each(crashes)('is taken over after %s, and both are undone to what was before', async (crash) => {
    const { stage, made } = await half(crash);
    await stage.sync({ host: 'two', b: '2' });
    expect(stage.values()).toEqual({ host: 'two', b: '2' });
    await failure(stage.apply(made), 'conflict');
    await stage.restore(made.ledger.generation + 1);
    expect(stage.values()).toEqual({ host: 'zero', old: 'x' });
    expect(Object.keys(stage.ledger()?.keys ?? {}).toSorted()).toEqual(['host', 'old']);
  });

  test.each(crashes)('is undone after %s', async (crash) => {
    const { stage, made } = await half(crash);
    await stage.restore(made.ledger.generation);
    expect(stage.values()).toEqual({ host: 'zero', old: 'x' });
    await failure(stage.apply(made), 'conflict');
  });
});

test.each([
  ['steps', 0],
  ['one transaction', 10],
])('an undo record from another time is not taken for that of a write that had none yet, in %s', async (_name, transactionSize) => {
  const store = createMemoryStore();
  const stage = createStage(store);
  await stage.sync({ host: 'zero' });
  store.set('app.ledger', null);
  const first = await stage.planWrite({ host: 'zero', a: '1' });
  const crash = stopAt(store, 'app.undo');
  const attempt = stage.apply(first);
  await crash.reached;
  const other = createStage(createMemoryStore({ transactionSize, stored: store.stored }));
  expect(await other.restore(first.ledger.generation)).toMatchObject({ writes: 0 });
  crash.go();
  await failure(attempt, 'conflict');
  expect(stage.values()).toEqual({ host: 'zero' });
});

describe.each([
  ['steps', 0],
  ['transactions of 2', 2],
])('a removal in %s that ended at any of its writes', (_name, transactionSize) => {
  /** Cut before its first write, its second and so on, until one gets through. */
  async function atEveryWrite(then: (half: { store: MemoryStore; stage: ReturnType<typeof createStage>; made: WritePlan }) => Promise<void>): Promise<void> {
    for (let cut = 0; ; cut++) {
      const store = createMemoryStore({ transactionSize });
      const stage = createStage(store);
      await stage.sync({ host: 'zero', old: 'x' });
      const made = (await stage.planForRemoval()) as WritePlan;
      let writes = 0;
      store.beforeWrite = async () => {
        if (writes++ >= cut) throw new TypeError('crashed');
      };
      const isThrough = await stage.apply(made).then(
        () => true,
        () => false,
      );
      revive(store);
      if (isThrough) return expect(cut).toBeGreaterThan(4);
      await then({ store, stage, made });
    }
  }

  test('is finished by its own retry, and nothing of it is left', async () => {
    await atEveryWrite(async ({ store, stage, made }) => {
      await stage.apply(made);
      expect([...store.stored.keys()]).toEqual([]);
    });
  });

  test('is finished by another one', async () => {
    await atEveryWrite(async ({ store, stage }) => {
      const next = await stage.planForRemoval();
      if (next.kind === 'write') await stage.apply(next);
      expect([...store.stored.keys()]).toEqual([]);
    });
  });

  test('is undone to exactly what was there, or says that it cannot be', async () => {
    await atEveryWrite(async ({ stage, made }) => {
      const undone = await stage.restore(made.ledger.generation).then(
        () => true,
        (error: unknown) => failure(Promise.reject(error), 'conflict').then(() => false),
      );
      expect(stage.values()).toEqual(undone ? { host: 'zero', old: 'x' } : {});
      expect(Object.keys(stage.ledger()?.keys ?? {}).toSorted()).toEqual(undone ? ['host', 'old'] : []);
    });
  });
});

test('a key that a write had only announced when it ended, and that somebody then made by hand, is not ours', async () => {
  const store = createMemoryStore();
  const stage = createStage(store);
  await stage.sync({ host: 'zero' });
  const first = await stage.planWrite({ host: 'one', fresh: 'ours' });
  crashAt(store, 'app/fresh');
  await expect(stage.apply(first)).rejects.toThrow('crashed');
  store.set('app/fresh', 'theirs');
  const live = await stage.read({ host: 'one', fresh: 'ours' });
  expect(live.ledger).toMatchObject({ state: 'intent', generation: 2 });
  expect(Object.keys(live.ledger?.keys ?? {})).toEqual(['host']);
});

describe.each([
  ['steps', 0],
  ['transactions of 2', 2],
])('in %s a key that an undo wants back, and that a stranger makes between its look and its claim,', (_name, transactionSize) => {
  async function stopped() {
    const store = createMemoryStore({ transactionSize });
    const stage = createStage(store);
    await stage.sync({ host: 'zero', old: 'x' });
    await stage.sync({ host: 'one' });
    const claiming = stopAt(store, 'app.ledger');
    const undo = failure(stage.restore(2), 'conflict');
    await claiming.reached;
    expect(Object.keys(stage.ledger()?.keys ?? {})).toEqual(['host']);
    store.set('app/old', 'theirs');
    claiming.go();
    await undo;
    expect(stage.ledger()).toMatchObject({ state: 'intent', generation: 2 });
    return { store, stage };
  }

  test('stays through the next write, and through the undo of that', async () => {
    const { stage } = await stopped();
    await stage.sync({ host: 'two' });
    expect(stage.values()).toEqual({ host: 'two', old: 'theirs' });
    await stage.restore(3);
    expect(stage.values()).toEqual({ host: 'zero', old: 'theirs' });
    expect(Object.keys(stage.ledger()?.keys ?? {})).toEqual(['host']);
  });

  test('does not become ours where the next write goes back by itself', async () => {
    const { store, stage } = await stopped();
    const next = await stage.planWrite({ host: 'two', fresh: 'ours' });
    store.beforeWrite = async (name) => {
      if (name === 'app/fresh') store.set('app/fresh', 'theirs');
    };
    await failure(stage.apply(next), 'conflict');
    expect(stage.values()).toEqual({ host: 'zero', old: 'theirs', fresh: 'theirs' });
    expect(stage.ledger()).toMatchObject({ state: 'committed' });
    expect(Object.keys(stage.ledger()?.keys ?? {})).toEqual(['host']);
  });

  test('is not put back without an owner where the next write ended before its record', async () => {
    const { store, stage } = await stopped();
    const next = await stage.planWrite({ host: 'two' });
    crashAt(store, 'app.undo');
    await expect(stage.apply(next)).rejects.toThrow('crashed');
    revive(store);
    store.set('app/old', null);
    await stage.restore(3);
    expect(stage.values()).toEqual({ host: 'zero' });
    expect(Object.keys(stage.ledger()?.keys ?? {})).toEqual(['host']);
  });

  test('is ours again where the undo, tried anew, finds it gone and puts it back', async () => {
    const { store, stage } = await stopped();
    store.set('app/old', null);
    await stage.restore(2);
    expect(stage.values()).toEqual({ host: 'zero', old: 'x' });
    await stage.sync({ host: 'zero' });
    expect(stage.values()).toEqual({ host: 'zero' });
  });

  test('is ours where the undo had put it back when it ended, and the next write deletes it', async () => {
    const store = createMemoryStore({ transactionSize });
    const stage = createStage(store);
    await stage.sync({ host: 'zero', old: 'x' });
    await stage.sync({ host: 'one' });
    store.beforeWrite = async (name) => {
      if (name === 'app.ledger' && stage.values()['old'] === 'x') throw new TypeError('crashed');
    };
    await expect(stage.restore(2)).rejects.toThrow('crashed');
    revive(store);
    expect(stage.values()['old']).toBe('x');
    await stage.sync({ host: 'two' });
    expect(stage.values()).toEqual({ host: 'two' });
  });
});
