import { gunzipSync, gzipSync } from 'node:zlib';
import type { Ledger } from '../../domain/ledger.ts';
import { SinkError } from '../errors.ts';
import type { Place } from '../sink.ts';
import type { CasStore, Item } from './cas-store.ts';
import type { CasCodec, CasLayout, Content } from './codec.ts';
import { decodeLedgerItem, encodeLedgerItem, type LedgerItem } from './ledger-item.ts';
import { decodeUndoRecord, encodeUndoRecord, type UndoChange, type UndoRecord } from './undo-record.ts';

/** One place during one call, and what the kind says of it. */
export interface Site {
  readonly store: CasStore;
  readonly place: Place;
  readonly layout: CasLayout;
  readonly kind: CasCodec<never>['kind'];
  readonly item: CasCodec<never>['item'];
  readonly own: CasCodec<never>['own'];
  readonly signal: AbortSignal;
}

export interface Seen<What> {
  readonly version: string;
  readonly content: What;
}

export const ABSENT = '-';

export function where({ kind, place }: Site): string {
  return `${kind} ${place.name}`;
}

export async function getLedger(site: Site): Promise<Seen<LedgerItem> | null> {
  return ledgerIn(site, await getOwn(site, site.layout.ledger));
}

export async function getUndo(site: Site): Promise<Seen<UndoRecord> | null> {
  return undoIn(site, await getOwn(site, site.layout.undo));
}

/** What the item of the ledger says. */
export function ledgerIn(site: Site, item: Item | null): Seen<LedgerItem> | null {
  const damaged = `the ledger at ${site.layout.ledger} is damaged; put it back, or delete it to have equal values adopted`;
  return decoded(site, site.layout.ledger, item, decodeLedgerItem, damaged);
}

/** What the item of the undo record says. */
export function undoIn(site: Site, item: Item | null): Seen<UndoRecord> | null {
  const damaged = `the undo record at ${site.layout.undo} is damaged; delete it to go on without`;
  return decoded(site, site.layout.undo, item, decodeUndoRecord, damaged);
}

/** The item, unless it is larger than one may be. */
export function within(site: Site, name: string, item: Item | null, maxBytes: number): Item | null {
  if (item === null || item.body.length <= maxBytes) return item;
  throw new SinkError('too-large', `${where(site)}: ${name} has ${item.body.length} bytes, above the limit of ${maxBytes}`);
}

export function ledgerContent(site: Site, content: LedgerItem): Content {
  return ownContent(site, encodeLedgerItem(content), 'the ledger');
}

export function undoContent(site: Site, record: UndoRecord): Content {
  return ownContent(site, encodeUndoRecord(record), 'what an undo needs');
}

export function itemOf({ layout }: Site, key: string): string {
  return layout.shape === 'document' ? layout.name : layout.nameOf(key);
}

/** The keys of a ledger in items of which another one owns nothing; a document is owned as a whole. */
export function ownedOnlyBy(site: Site, ledger: Ledger | null, other: Ledger | null): readonly string[] {
  const owned = new Set(Object.keys(other?.keys ?? {}).map((key) => itemOf(site, key)));
  return Object.keys(ledger?.keys ?? {}).filter((key) => !owned.has(itemOf(site, key)));
}

/** What the record says but for items that were owned when it was written and are a stranger's now, as `before` says: they are not put back. */
export function ownChanges(site: Site, record: UndoRecord, before: Ledger | null): readonly UndoChange[] {
  const names = new Set(ownedOnlyBy(site, record.ledger, before).map((key) => itemOf(site, key)));
  return names.size === 0 ? record.changes : record.changes.filter((change) => !names.has(change.name));
}

/** The place was written since it was read, or cannot be undone to `undone`. */
export function moved(site: Site, ledger: Ledger | undefined, undone?: number): SinkError {
  const current = `the ledger is at generation ${ledger?.generation ?? 0}`;
  const what = undone === undefined ? 'it was written since it was read' : `generation ${undone} cannot be undone`;
  return new SinkError('conflict', `${where(site)}: ${what}, ${current}`);
}

async function getOwn(site: Site, name: string): Promise<Item | null> {
  const [found = null] = await site.store.get(site.place, [name], site.own.maxBytes, site.signal);
  return found;
}

function decoded<What>(site: Site, name: string, item: Item | null, decode: (body: Buffer) => What, damaged: string): Seen<What> | null {
  const found = within(site, name, item, site.own.maxBytes);
  if (!found) return null;
  try {
    return { version: found.version, content: decode(expanded(site, found)) };
  } catch {
    throw new SinkError('rejected', `${where(site)}: ${damaged}`);
  }
}

function ownContent(site: Site, plain: Buffer, what: string): Content {
  const { maxBytes, compressAbove = Number.POSITIVE_INFINITY, attributes } = site.own;
  const body = plain.length > compressAbove ? gzipSync(plain) : plain;
  if (body.length > maxBytes)
    throw new SinkError('too-large', `${where(site)}: ${what} has ${body.length} bytes, above the limit of ${maxBytes}; split the place`);
  return { body, attributes };
}

function expanded(site: Site, { body }: Item): Buffer {
  return body[0] === 0x1f && body[1] === 0x8b ? gunzipSync(body, { maxOutputLength: MAX_EXPANSION * site.own.maxBytes }) : body;
}

/** Deflate makes at most a thousandth of what is all the same; ledgers and undo records are far from it. */
const MAX_EXPANSION = 200;
