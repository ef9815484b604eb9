import { randomUUID } from 'node:crypto';
import { plan, type WritePlan } from '../../../domain/plan.ts';
import { redis } from '../../../sinks/redis.ts';
import type { Place, Receipt, Sink } from '../../../sinks/sink.ts';
import { contextFor, entriesOf, fingerprint, owner, type Values } from '../contract/scenario.ts';
import type { Layout } from './bench.ts';
import { policyOf } from '../../domain/policy-of.ts';

/** A place of no one else; for `keys` without a hash tag, unless the name is given. */
export function place(layout: Layout, name = `acme:${randomUUID()}${layout === 'keys' ? ':' : ''}`): Place {
  return { name, layout, fields: { layout } };
}

/** Reads, and plans what has to be a write. */
export async function planFor(sink: Sink, at: Place, values: Values): Promise<WritePlan> {
  const layout = at.layout as Layout;
  const entries = entriesOf(values).map((entry) => redis.render(entry, { layout }));
  const live = await sink.read(at, contextFor(entries));
  const desired = { entries, owner, stream: 'config/main', commit: 'a'.repeat(40), inputsMoved: true, write: randomUUID(), at: '2026-11-24T00:00:00Z' };
  const made = plan(desired, live, policyOf({ ownership: redis.layouts[layout]?.ownership ?? 'keys', onExisting: 'overwrite' }), fingerprint);
  if (made.kind !== 'write') throw new Error(`expected a write, got ${made.kind}`);
  return made;
}

export async function sync(sink: Sink, at: Place, values: Values): Promise<Receipt> {
  return sink.apply(at, await planFor(sink, at, values), contextFor([]));
}
