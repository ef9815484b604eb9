import { randomUUID } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { decodeLedger, type Ledger } from '../../../domain/ledger.ts';
import { plan, planRemoval, type Plan, type WritePlan } from '../../../domain/plan.ts';
import { createCasSink } from '../../../sinks/cas/cas-sink.ts';
import type { Place, Sink } from '../../../sinks/sink.ts';
import { contextFor, entriesOf, fingerprint, owner, type Values } from '../contract/scenario.ts';
import { memory, memoryCodec } from './memory-sink.ts';
import type { MemoryStore } from './memory-store.ts';
import { policyOf } from '../../domain/policy-of.ts';

const fields = memory.destination.parse({});
const place: Place = { name: 'app', layout: 'keys', fields };
const policy = policyOf({ deletesAllowed: true });

/** One place of keys in a memory store, written as activities do. */
export function createStage(store: MemoryStore, sink: Sink = createCasSink(store, memoryCodec)) {
  const render = (values: Values) => entriesOf(values).map((entry) => memory.render(entry, fields));
  const read = (values: Values) => sink.read(place, contextFor(render(values)));
  const target = () => ({ owner, stream: 'config/main', commit: 'a'.repeat(40), write: randomUUID(), at: '2026-11-24T00:00:00Z' });

  async function planFor(values: Values): Promise<Plan> {
    return plan({ ...target(), entries: render(values), inputsMoved: true }, await read(values), policy, fingerprint);
  }

  async function planWrite(values: Values): Promise<WritePlan> {
    return writing(await planFor(values));
  }

  return {
    read,
    planFor,
    planWrite,
    planForRemoval: async () => planRemoval(target(), await read({}), policy),
    apply: (made: WritePlan, signal?: AbortSignal) => sink.apply(place, made, contextFor(made.entries, signal)),
    restore: (generation: number) => sink.restore(place, generation, contextFor([])),
    sync: async (values: Values) => sink.apply(place, await planWrite(values), contextFor([])),
    values: (): Readonly<Record<string, string>> => {
      return Object.fromEntries([...store.stored].filter(([name]) => name.startsWith('app/')).map(([name, { body }]) => [name.slice(4), String(body)]));
    },
    ledger: (): Ledger | null => {
      const body = store.stored.get('app.ledger')?.body;
      return body ? decodeLedger(String(body[0] === 0x1f ? gunzipSync(body) : body)) : null;
    },
  };
}

function writing(made: Plan): WritePlan {
  if (made.kind !== 'write') throw new Error(`expected a write, got ${made.kind}`);
  return made;
}

/** Stops the write of one item; `reached` resolves when it gets there, `go` lets it on. */
export function stopAt(store: MemoryStore, name: string) {
  const [reached, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  store.beforeWrite = async (at) => {
    if (at !== name) return;
    store.beforeWrite = async () => undefined;
    reached.resolve();
    await go.promise;
  };
  return { reached: reached.promise, go: go.resolve };
}
