import { afterEach, describe, expect, test, vi } from 'vitest';
import { decodeLedger } from '../../../domain/ledger.ts';
import { plan, type Policy, type WritePlan } from '../../../domain/plan.ts';
import type { Place } from '../../../sinks/sink.ts';
import { s3, type S3Fields } from '../../../sinks/s3.ts';
import { createStore } from '../../../sinks/s3/store.ts';
import { contextFor, entriesOf, failure, fingerprint, owner, type Values } from '../contract/scenario.ts';
import { createMemoryObjects, type MemoryObjects } from './memory-objects.ts';

const fields = s3.destination.parse({ layout: 'keys' });
const place: Place<S3Fields> = { name: 'config/app/', layout: 'keys', fields };
const policy: Policy = {
  ownership: 'keys',
  prune: true,
  isProtected: () => false,
  maxDeletes: null,
  deletesAllowed: false,
  onExisting: 'refuse',
  inherits: () => false,
};
let writes = 0;

afterEach(() => {
  vi.useRealTimers();
});

async function planWrite(objects: MemoryObjects, values: Values): Promise<WritePlan> {
  const entries = entriesOf(values).map((entry) => s3.render(entry, fields));
  const live = await createStore(objects).read(place, contextFor(entries));
  const desired = { entries, owner, stream: 'config/main', commit: 'a'.repeat(40), inputsMoved: true, write: `w${++writes}`, at: '2026-11-24T00:00:00Z' };
  const made = plan(desired, live, policy, fingerprint);
  if (made.kind !== 'write') throw new Error(`expected a write, got ${made.kind}`);
  return made;
}

async function sync(objects: MemoryObjects, values: Values): Promise<void> {
  await createStore(objects).apply(place, await planWrite(objects, values), contextFor([]));
}

function valuesOf({ stored }: MemoryObjects): Readonly<Record<string, string>> {
  const entries = [...stored].flatMap(([key, { body }]) => (key.includes('.vartrack.') ? [] : [[key.replace('config/app/', ''), String(body)] as const]));
  return Object.fromEntries(entries);
}

function ledgerOf({ stored }: MemoryObjects) {
  return decodeLedger(String(stored.get('config/app/.vartrack.json')?.body));
}

/** Stops the write of one key; `reached` resolves when it gets there, `go` lets it on. */
function stopAt(objects: MemoryObjects, key: string) {
  const [reached, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  objects.beforeWrite = async (at) => {
    if (at.key !== key) return;
    objects.beforeWrite = async () => undefined;
    reached.resolve();
    await go.promise;
  };
  return { reached: reached.promise, go: go.resolve };
}

describe('a writer that stopped after its claim, when another took over', () => {
  test.each([
    ['its record', 'app/.vartrack.undo.json', { host: 'two' }],
    ['its record, and a value that the other leaves as it is', 'app/.vartrack.undo.json', { host: 'zero', more: 'x' }],
    ['a value that the other changed', 'app/host', { host: 'two' }],
    ['its last step', 'app/.vartrack.json', { host: 'two' }],
  ])('before %s, writes nothing any more', async (_name, key, newer) => {
    const objects = createMemoryObjects();
    await sync(objects, { host: 'zero' });
    const late = await planWrite(objects, { host: 'one' });
    const claimed = stopAt(objects, 'app/.vartrack.json');
    const attempt = failure(createStore(objects).apply(place, late, contextFor([])), 'conflict');
    await claimed.reached;
    const stop = stopAt(objects, key);
    claimed.go();
    await stop.reached;
    await sync(objects, newer);
    const after = [valuesOf(objects), ledgerOf(objects)];
    stop.go();
    await attempt;
    expect([valuesOf(objects), ledgerOf(objects)]).toEqual(after);
  });

  test('asks for its claim before a value once some seconds have passed, whatever the value is', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const objects = createMemoryObjects();
    await sync(objects, { host: 'zero' });
    const late = await planWrite(objects, { host: 'one' });
    objects.beforeWrite = async (at) => {
      if (at.key !== 'app/.vartrack.undo.json') return;
      // The process is stopped here, while another one claims the place and leaves the value as it was.
      vi.setSystemTime(Date.now() + 6_000);
      const ledger = objects.stored.get('config/app/.vartrack.json');
      if (ledger) objects.stored.set('config/app/.vartrack.json', { ...ledger, body: Buffer.concat([ledger.body, Buffer.from(' ')]) });
    };
    await failure(createStore(objects).apply(place, late, contextFor([])), 'conflict');
    expect(valuesOf(objects)).toEqual({ host: 'zero' });
  });
});

test('a stranger who makes a key after the claim keeps it, and all else goes back', async () => {
  const objects = createMemoryObjects();
  await sync(objects, { host: 'zero', old: 'x' });
  const made = await planWrite(objects, { host: 'one', fresh: 'ours' });
  objects.beforeWrite = async (at) => {
    if (at.key === 'app/fresh') objects.stored.set('config/app/fresh', { body: Buffer.from('theirs'), attributes: {} });
  };
  await failure(createStore(objects).apply(place, made, contextFor([])), 'conflict');
  expect(valuesOf(objects)).toEqual({ host: 'zero', old: 'x', fresh: 'theirs' });
  expect(ledgerOf(objects)).toMatchObject({ state: 'committed', generation: 3, write: `undo:${made.ledger.write}` });
  expect(Object.keys(ledgerOf(objects).keys).toSorted()).toEqual(['host', 'old']);
});

test('a write that ended half-way and the one that took it over are undone to what was before both', async () => {
  const objects = createMemoryObjects();
  await sync(objects, { host: 'zero' });
  const first = await planWrite(objects, { host: 'one', a: '1' });
  const crash = new AbortController();
  objects.beforeWrite = async (at) => {
    if (at.key === 'app/a') crash.abort();
    if (crash.signal.aborted) await Promise.reject(new TypeError('crashed'));
  };
  await expect(createStore(objects).apply(place, first, contextFor([]))).rejects.toThrow('crashed');
  objects.beforeWrite = async () => undefined;
  expect(ledgerOf(objects)).toMatchObject({ state: 'intent', generation: 2 });
  await sync(objects, { host: 'two', b: '2' });
  expect(valuesOf(objects)).toEqual({ host: 'two', b: '2' });
  await createStore(objects).restore(place, 3, contextFor([]));
  expect(valuesOf(objects)).toEqual({ host: 'zero' });
});

test('an undo record from another time is not taken for that of a write that had none yet', async () => {
  const objects = createMemoryObjects();
  await sync(objects, { host: 'zero' });
  objects.stored.delete('config/app/.vartrack.json');
  const first = await planWrite(objects, { host: 'zero', a: '1' });
  const crash = stopAt(objects, 'app/.vartrack.undo.json');
  const attempt = createStore(objects).apply(place, first, contextFor([]));
  await crash.reached;
  expect(await createStore(objects).restore(place, first.ledger.generation, contextFor([]))).toMatchObject({ writes: 0 });
  crash.go();
  await failure(attempt, 'conflict');
  expect(valuesOf(objects)).toEqual({ host: 'zero' });
});

test('a server that does not know conditional writes is refused, and holds nothing of ours', async () => {
  const objects = createMemoryObjects();
  objects.ignoresConditions = true;
  await failure(createStore(objects).apply(place, await planWrite(objects, { host: 'one' }), contextFor([])), 'unsupported');
  expect([...objects.stored.keys()]).toEqual([]);
});

test('a key that a write had only announced when it ended, and that somebody then made by hand, is not ours', async () => {
  const objects = createMemoryObjects();
  await sync(objects, { host: 'zero' });
  const first = await planWrite(objects, { host: 'one', fresh: 'ours' });
  const crash = stopAt(objects, 'app/fresh');
  void createStore(objects).apply(place, first, contextFor([]));
  await crash.reached;
  objects.stored.set('config/app/fresh', { body: Buffer.from('theirs'), attributes: {} });
  const entries = entriesOf({ host: 'one', fresh: 'ours' }).map((entry) => s3.render(entry, fields));
  const live = await createStore(objects).read(place, contextFor(entries));
  expect(live.ledger).toMatchObject({ state: 'intent', generation: 2 });
  expect(Object.keys(live.ledger?.keys ?? {})).toEqual(['host']);
});
