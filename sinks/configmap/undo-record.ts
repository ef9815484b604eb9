import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import { decodeLedger, type Ledger } from '../../domain/ledger.ts';
import type { Stored } from './content.ts';

/** What a write replaces. It lives in the ConfigMap itself, so that it is written in the same step as the values. */
export interface UndoRecord {
  /** Generation and `write` of the ledger that it belongs to. */
  readonly generation: number;
  readonly write: string;
  /** The ledger before the write. */
  readonly ledger: Ledger | null;
  /** Whether the write made the ConfigMap. */
  readonly made: boolean;
  readonly changes: readonly UndoChange[];
}

export interface UndoChange {
  readonly key: string;
  readonly before: Stored | null;
  /** What the write left there, by `digestOf`. */
  readonly wrote: string;
}

/** Configuration is mostly text that repeats itself: a fifth of the size, and the limit of annotations is 256 KiB. */
const pack = promisify(deflateRaw);
const unpack = promisify<Buffer, { maxOutputLength: number }, Buffer>(inflateRaw);
const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** Changes on top of those of a write that did not end: what was there first stays what is put back. */
export function mergeUndo(unfinished: UndoRecord | null, record: UndoRecord): UndoRecord {
  if (!unfinished) return record;
  const merged = new Map(unfinished.changes.map((change) => [change.key, change]));
  for (const change of record.changes) {
    const first = merged.get(change.key);
    merged.set(change.key, first ? { ...change, before: first.before } : change);
  }
  return { ...record, ledger: unfinished.ledger, made: unfinished.made, changes: [...merged.values()] };
}

export async function encodeUndoRecord(record: UndoRecord): Promise<string> {
  const packed = await pack(Buffer.from(JSON.stringify({ version: 1, ...record })));
  return packed.toString('base64');
}

/** Throws TypeError on anything that {@link encodeUndoRecord} did not write. */
export async function decodeUndoRecord(text: string): Promise<UndoRecord> {
  let parsed: unknown;
  try {
    const bytes = await unpack(Buffer.from(text, 'base64'), { maxOutputLength: MAX_RECORD_BYTES });
    parsed = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new TypeError('the undo record cannot be read');
  }
  const { version, generation, write, ledger, made, changes } = (parsed ?? {}) as Record<string, unknown>;
  if (version !== 1 || typeof generation !== 'number' || typeof write !== 'string' || typeof made !== 'boolean' || !Array.isArray(changes))
    throw new TypeError('the undo record has an unknown shape or version');
  return { generation, write, made, ledger: ledger === null ? null : decodeLedger(JSON.stringify(ledger)), changes: changes.map(changeOf) };
}

function changeOf(given: unknown): UndoChange {
  const { key, before, wrote } = (given ?? {}) as Record<string, unknown>;
  if (typeof key !== 'string' || typeof wrote !== 'string' || !(before === null || isStored(before)))
    throw new TypeError('a change of the undo record is damaged');
  return { key, before, wrote };
}

function isStored(given: unknown): given is Stored {
  const { text, binary } = (given ?? {}) as Record<string, unknown>;
  return typeof text === 'string' || typeof binary === 'string';
}
