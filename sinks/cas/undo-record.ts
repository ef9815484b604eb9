import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { decodeLedger, type Ledger } from '../../domain/ledger.ts';
import type { Item } from './cas-store.ts';
import type { Content } from './codec.ts';

/** What a write replaces, kept in an item of its own until the next write. */
export interface UndoRecord {
  /** See `Before.origin`. */
  readonly origin: string;
  /** Of the attempt that wrote the record, so that its bytes change with each. */
  readonly claim: string;
  /** Generation and `write` of the ledger that it belongs to. */
  readonly generation: number;
  readonly write: string;
  /** The ledger before the write. */
  readonly ledger: Ledger | null;
  readonly changes: readonly UndoChange[];
}

export interface UndoChange {
  /** Of the item. */
  readonly name: string;
  readonly before: Content | null;
  /** What varTrack left there, by {@link bodyDigest}; `-` where it deleted. More than one where writes followed that did not end. */
  readonly wrote: readonly string[];
}

export function bodyDigest(body: Uint8Array | null): string {
  return body === null ? '-' : createHash('sha256').update(body).digest('hex').slice(0, 32);
}

export type Standing = 'as-before' | 'ours' | 'strange';

/** Whether what is there now is what was before the write, what the write left, or somebody else's. */
export function standingOf(change: UndoChange, live: Item | null): Standing {
  const { before, wrote } = change;
  if (before === null ? live === null : live !== null && before.body.equals(live.body) && isDeepStrictEqual(before.attributes, live.attributes))
    return 'as-before';
  return wrote.includes(bodyDigest(live && live.body)) || (before !== null && live !== null && before.body.equals(live.body)) ? 'ours' : 'strange';
}

/** Changes on top of those of writes that did not end: what was there first stays what is put back. */
export function mergeChanges(unfinished: readonly UndoChange[], changes: readonly UndoChange[]): readonly UndoChange[] {
  const merged = new Map(unfinished.map((change) => [change.name, change]));
  for (const change of changes) {
    const first = merged.get(change.name);
    merged.set(change.name, first ? { ...first, wrote: [...new Set([...first.wrote, ...change.wrote])] } : change);
  }
  return [...merged.values()];
}

export function encodeUndoRecord({ changes, ...head }: UndoRecord): Buffer {
  const encoded = changes.map(({ before, ...change }) => ({ ...change, before: before && { ...encodeBody(before.body), attributes: before.attributes } }));
  return Buffer.from(JSON.stringify({ version: 1, ...head, changes: encoded }));
}

/** Throws TypeError on anything that {@link encodeUndoRecord} did not write. */
export function decodeUndoRecord(bytes: Uint8Array): UndoRecord {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw new TypeError('the undo record is not JSON');
  }
  const { version, origin, claim, generation, write, ledger, changes } = (parsed ?? {}) as Record<string, unknown>;
  if (version !== 1 || [origin, claim, write].some((text) => typeof text !== 'string') || typeof generation !== 'number' || !Array.isArray(changes))
    throw new TypeError('the undo record has an unknown shape or version');
  return {
    ...({ origin, claim, write } as { origin: string; claim: string; write: string }),
    generation,
    ledger: ledger === null ? null : decodeLedger(JSON.stringify(ledger)),
    changes: changes.map(changeOf),
  };
}

function changeOf(given: unknown): UndoChange {
  const { name, before, wrote } = (given ?? {}) as Record<string, unknown>;
  if (typeof name !== 'string' || !Array.isArray(wrote)) throw new TypeError('a change of the undo record is damaged');
  if (before === null) return { name, before, wrote: wrote as string[] };
  const { attributes, ...encoded } = (before ?? {}) as Record<string, unknown>;
  if (typeof attributes !== 'object' || attributes === null) throw new TypeError('a change of the undo record is damaged');
  return { name, wrote: wrote as string[], before: { body: decodeBody(encoded), attributes: attributes as Content['attributes'] } };
}

function encodeBody(body: Buffer): { readonly text: string } | { readonly base64: string } {
  const text = body.toString('utf8');
  return Buffer.from(text).equals(body) ? { text } : { base64: body.toString('base64') };
}

function decodeBody({ text, base64 }: Readonly<Record<string, unknown>>): Buffer {
  if (typeof text === 'string') return Buffer.from(text);
  if (typeof base64 === 'string') return Buffer.from(base64, 'base64');
  throw new TypeError('a change of the undo record is damaged');
}
