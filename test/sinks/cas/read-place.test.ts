import { expect, test } from 'vitest';
import type { CasStore } from '../../../sinks/cas/cas-store.ts';
import { createCasSink } from '../../../sinks/cas/cas-sink.ts';
import { failure } from '../contract/scenario.ts';
import { memoryCodec } from './memory-sink.ts';
import { createMemoryStore } from './memory-store.ts';
import { createStage, stopAt } from './stage.ts';

/** A place with a value, in a system of transactions, and what its reads ask from now on; `between` is what happens after the first of them. */
async function readerOf(transactionSize = 10, between: () => void | Promise<void> = () => undefined) {
  const store = createMemoryStore({ transactionSize });
  const asked: string[] = [];
  const watched: CasStore = {
    ...store,
    get: async (place, names, maxBytes, signal) => {
      asked.push(`get ${names.join()}`);
      return store.get(place, names, maxBytes, signal);
    },
    version: async (place, name, signal) => {
      asked.push(`version ${name}`);
      return store.version(place, name, signal);
    },
    ...(store.getSteady && {
      getSteady: async (place, names, signal) => {
        asked.push(`steady ${names.join()}`);
        const found = await store.getSteady?.(place, names, signal);
        const before = store.stored.get(names[0] ?? '');
        await between();
        return { items: found?.items ?? [], isSteady: store.stored.get(names[0] ?? '') === before };
      },
    }),
  };
  const stage = createStage(store);
  await stage.sync({ host: 'one' });
  return { store, stage, asked, reader: createStage(store, createCasSink(watched, memoryCodec)) };
}

test('a place is read in one call where the system can say that it belongs together', async () => {
  const { reader, asked } = await readerOf();
  expect((await reader.read({ host: 'one' })).entries).toEqual(new Map([['host', 'one']]));
  expect(asked).toEqual(['steady app.ledger,app/host']);
});

test('a key that is owned and was not asked for is read as well', async () => {
  const { reader } = await readerOf();
  expect((await reader.read({ port: '1' })).entries).toEqual(new Map([['host', 'one']]));
});

test('a write that comes between makes the read begin anew', async () => {
  const writing: { go?: () => Promise<unknown> } = {};
  const { stage, reader } = await readerOf(10, async () => {
    await writing.go?.();
  });
  writing.go = () => stage.sync({ host: 'two' });
  const { entries, ledger } = await reader.read({ host: 'two' });
  expect([ledger?.generation, entries]).toEqual([2, new Map([['host', 'two']])]);
});

test('beside a write that goes on, a key that somebody else made meanwhile is not taken for ours', async () => {
  const { store, stage, reader } = await readerOf(2);
  const late = await stage.planWrite({ host: 'one', more: 'ours' });
  const stop = stopAt(store, 'app/more');
  const attempt = failure(stage.apply(late), 'conflict');
  await stop.reached;
  store.set('app/more', 'a stranger');
  const { ledger, entries } = await reader.read({ host: 'one', more: 'ours' });
  expect(Object.keys(ledger?.keys ?? {})).toEqual(['host']);
  expect(entries.get('more')).toBe('a stranger');
  stop.go();
  await attempt;
});

test('what is above the limit of an item is told, and which it is', async () => {
  const { store, reader } = await readerOf();
  store.set('app/host', 'x'.repeat(17 * 1024 * 1024));
  expect((await failure(reader.read({ host: 'one' }), 'too-large')).message).toContain('app/host has 17825792 bytes');
});
