import { randomUUID } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { createCasSink } from '../../../sinks/cas/cas-sink.ts';
import type { CasStore } from '../../../sinks/cas/cas-store.ts';
import { SinkError } from '../../../sinks/errors.ts';
import { writeDocument } from '../../../sinks/leaf-document.ts';
import type { Place } from '../../../sinks/sink.ts';
import { describeSinkContract, type Bench, type Fault } from '../contract.ts';
import type { Cut } from '../contract/cuts.ts';
import { cutStore } from './cut-store.ts';
import { memory, memoryCodec, type MemoryFields } from './memory-sink.ts';
import { createMemoryStore, type MemoryStore } from './memory-store.ts';

/** The protocol as it is without transactions, with ones that take part of a write, and with ones that take all of it. */
const systems = { steps: 0, 'transactions of 4': 4, 'transactions of any size': Number.POSITIVE_INFINITY };

for (const [name, transactionSize] of Object.entries(systems)) {
  for (const layout of ['keys', 'document'] as const) {
    describeSinkContract(`${layout}, in ${name}`, {
      definition: memory,
      destination: { layout },
      cuts: true,
      large: { keys: 1_000, characters: 100_000 },
      cannot: { outage: 'memory does not go away' },
      start: async () => startBench(memory.destination.parse({ layout }), transactionSize),
    });
  }
}

function startBench(fields: MemoryFields, transactionSize: number): Bench {
  const store = createMemoryStore({ transactionSize });
  const place = (): Place => ({ name: randomUUID(), layout: fields.layout, fields });
  // A connection of its own: the system stays when one is closed.
  const open = (): CasStore => {
    let isClosed = false;
    const guarded: Cut = async (call) => {
      if (isClosed) throw new SinkError('unavailable', 'memory: it was closed');
      return call();
    };
    const close = async (): Promise<void> => {
      isClosed = true;
    };
    return { ...cutStore(store, guarded), close };
  };
  return {
    connect: async () => createCasSink(open(), memoryCodec),
    connectCut: async (cut) => createCasSink(cutStore(open(), cut), memoryCodec),
    placeName: () => place().name,
    write: async ({ name }, entries) => {
      if (fields.layout === 'document') return store.set(name, entries.length === 0 ? null : String(writeDocument(entries, [], 'json')));
      const texts = new Map(entries.map((entry) => memory.render(entry, fields)).map(({ key, text }) => [`${name}/${key}`, text]));
      for (const item of store.stored.keys()) if (item.startsWith(`${name}/`) && !texts.has(item)) store.set(item, null);
      for (const [item, text] of texts) if (store.stored.get(item)?.body.toString() !== text) store.set(item, text);
    },
    writeLedger: async ({ name }, text) => store.set(`${name}.ledger`, text),
    look: async ({ name }) => {
      const content = [...store.stored].filter(([item]) => item === name || item.startsWith(`${name}/`));
      const look = content.map(([item, { body }]) => [item.slice(name.length), body.toString('latin1')] as const).toSorted(([a], [b]) => (a < b ? -1 : 1));
      return { content: look.length === 0 ? null : look, ledger: textAt(store, `${name}.ledger`), undo: textAt(store, `${name}.undo`) };
    },
    traceOfWrites: async () => store.writes(),
    ...(fields.layout === 'document' ? { spoil: async ({ name }: Place) => store.set(name, '{"not": ') } : {}),
    fault: async (fault) => ({ sink: createCasSink(faulty(store, fault), memoryCodec), place: place() }),
    stop: async () => undefined,
  };
}

function textAt({ stored }: MemoryStore, name: string): string | null {
  const body = stored.get(name)?.body;
  if (!body) return null;
  return String(body[0] === 0x1f ? gunzipSync(body) : body);
}

function faulty(store: CasStore, fault: Fault): CasStore {
  const reason = fault === 'gone' || fault === 'silent' ? 'unavailable' : 'unauthorized';
  const fail = async (): Promise<never> => {
    throw new SinkError(reason, `memory: ${fault}`);
  };
  const fits = (): boolean => true;
  const writing = { write: fail, ...(store.transaction ? { transaction: { fits, commit: fail } } : {}), close: async () => undefined };
  return fault === 'read-only' ? { ...store, ...writing } : { ...store, ...writing, get: fail, getSteady: fail, version: fail };
}
