import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { createCasSink } from '../../../sinks/cas/cas-sink.ts';
import { failure } from '../contract/scenario.ts';
import { memoryCodec } from './memory-sink.ts';
import { createMemoryStore, type MemoryStore } from './memory-store.ts';
import { createStage } from './stage.ts';

const systems = [
  ['steps', 0],
  ['transactions of 3', 3],
  ['one transaction', 100],
] as const;

/** `text` cannot be made smaller. */
const noise = (bytes: number): string => Array.from({ length: bytes }, () => Math.floor(Math.random() * 36).toString(36)).join('');

function smallStage(store: MemoryStore) {
  return createStage(store, createCasSink(store, { ...memoryCodec, own: { maxBytes: 2_000, compressAbove: 500, attributes: {} } }));
}

test.each(systems)('in %s a ledger or undo record above the limit is told before anything is written', async (_name, transactionSize) => {
  const store = createMemoryStore({ transactionSize });
  const stage = smallStage(store);
  const many = await stage.planWrite(Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`k${index}${noise(10)}`, 'x'])));
  await failure(stage.apply(many), 'too-large');
  expect(store.writes()).toBe(0);

  const large = noise(4_000);
  await stage.sync({ host: large });
  const before = store.writes();
  const error = await failure(stage.apply(await stage.planWrite({ host: 'small' })), 'too-large');
  expect(error.message).toContain('what an undo needs');
  expect(store.writes()).toBe(before);
  expect(stage.values()).toEqual({ host: large });
});

test.each(systems)('in %s a large ledger and undo record are gzip, and read and undone as any', async (_name, transactionSize) => {
  const store = createMemoryStore({ transactionSize });
  const stage = smallStage(store);
  await stage.sync({ host: 'x'.repeat(10_000), old: 'y' });
  await stage.sync({ host: 'small' });
  expect(store.stored.get('app.undo')?.body.subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]));
  await stage.restore(2);
  expect(stage.values()).toEqual({ host: 'x'.repeat(10_000), old: 'y' });
});

test.each([
  ['is cut off', gzipSync('{"version":1}').subarray(0, 12)],
  ['is something else', gzipSync('hello')],
  ['would fill the memory', gzipSync(Buffer.alloc(100 * 1024 * 1024, ' '))],
])('a ledger of gzip that %s is damaged, and never absent (I3)', async (_name, body) => {
  const store = createMemoryStore();
  const sink = createCasSink(store, { ...memoryCodec, own: { maxBytes: 200_000, attributes: {} } });
  const stage = createStage(store, sink);
  await stage.sync({ host: 'x' });
  const ledger = store.stored.get('app.ledger');
  if (ledger) store.stored.set('app.ledger', { ...ledger, body });
  await failure(stage.read({}), 'rejected');
  await failure(stage.restore(1), 'rejected');
});
