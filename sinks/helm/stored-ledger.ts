import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { decodeLedger, type Ledger } from '../../domain/ledger.ts';
import { SinkError } from '../errors.ts';

/** A ledger without its keys: those are the ones of the values of its own revision, or none. */
export type LedgerHead = Omit<Ledger, 'keys' | 'state'> & { readonly owns: 'all' | 'nothing' };

/** What the labels of a revision say. They go on to every later revision, so `revision` tells which one they were written for. */
export interface StoredLedger extends PlacedHead {
  /** What an undo of this write goes back to; null where the write was itself an undo. */
  readonly undo: UndoRecord | null;
}

export interface PlacedHead {
  readonly head: LedgerHead;
  /** The revision with whose values it was written. */
  readonly revision: number;
}

export interface UndoRecord {
  /** The revision to roll back to; 0: there was no release. Equal to that of the ledger: only the ledger had moved. */
  readonly revision: number;
  readonly before: PlacedHead | null;
}

export const LEDGER_LABEL = 'vartrack.dev/ledger';
// A label takes 63 characters and has to begin and end with a letter or digit.
const CHUNK = 61;
const MAX_CHUNKS = 40;

export type Labels = Readonly<Record<string, string>>;

/** Labels that hold a text. Throws SinkError `too-large`. Those of a longer text that stood there before are not counted, and do no harm. */
export function labelsOf(text: string): Labels {
  const packed = deflateRawSync(Buffer.from(text), { level: 9 }).toString('base64url');
  const chunks = packed.match(new RegExp(`.{1,${CHUNK}}`, 'g')) ?? [];
  if (chunks.length > MAX_CHUNKS)
    throw new SinkError('too-large', 'the ledger does not fit into labels; shorten the names of tenant, rule, repository and branch');
  return Object.fromEntries([[LEDGER_LABEL, String(chunks.length)], ...chunks.map((chunk, index) => [`${LEDGER_LABEL}.${index}`, `v${chunk}v`] as const)]);
}

/** The text in labels, or null where there is none. Throws TypeError for labels that are damaged. */
export function textOf(labels: Labels): string | null {
  const count = labels[LEDGER_LABEL];
  if (count === undefined) return null;
  if (!/^\d+$/.test(count) || Number(count) > MAX_CHUNKS) throw new TypeError('the ledger in the labels is damaged');
  const chunks = Array.from({ length: Number(count) }, (_, index) => labels[`${LEDGER_LABEL}.${index}`] ?? '');
  try {
    return inflateRawSync(Buffer.from(chunks.map((chunk) => chunk.slice(1, -1)).join(''), 'base64url'), { maxOutputLength: 64 * 1024 }).toString('utf8');
  } catch {
    throw new TypeError('the ledger in the labels is damaged');
  }
}

export function encodeStored(stored: StoredLedger): Labels {
  return labelsOf(JSON.stringify(stored));
}

/** Null where the labels hold no ledger. Throws TypeError for one that cannot be read: it is never taken for an absent one (I3). */
export function decodeStored(labels: Labels): StoredLedger | null {
  const text = textOf(labels);
  if (text === null) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new TypeError('the ledger is not JSON');
  }
  const { undo } = Object(parsed) as Partial<StoredLedger>;
  const isUndo = undo === null || (typeof undo === 'object' && Number.isSafeInteger(undo.revision) && (undo.before === null || isPlaced(undo.before)));
  if (!isPlaced(parsed) || !isUndo) throw new TypeError('the ledger has an unknown shape or version');
  return parsed as StoredLedger;
}

function isPlaced(candidate: unknown): boolean {
  const { head, revision } = Object(candidate) as Partial<PlacedHead>;
  return isHead(head) && Number.isSafeInteger(revision);
}

function isHead(candidate: unknown): candidate is LedgerHead {
  const { owns } = Object(candidate) as Partial<LedgerHead>;
  if (owns !== 'all' && owns !== 'nothing') return false;
  decodeLedger(JSON.stringify({ ...(candidate as LedgerHead), state: 'committed', keys: {} }));
  return true;
}

export function headOf({ keys, state: _state, ...rest }: Ledger): LedgerHead {
  return { ...rest, owns: Object.keys(keys).length > 0 ? 'all' : 'nothing' };
}

/** The whole ledger; `keys` are those of the values of its revision. */
export function ledgerOf({ owns, ...rest }: LedgerHead, state: Ledger['state'], keys: Ledger['keys']): Ledger {
  const { version, owner, stream, commit, generation, write, at } = rest;
  return { version, owner, stream, commit, generation, write, state, keys: owns === 'all' ? keys : {}, at };
}
