import type { RenderedEntry } from '../../domain/plan.ts';
import type { DestinationFields, Place } from '../sink.ts';
import type { Attributes, Item } from './cas-store.ts';

/** What a put writes. A later read has to give back these very bytes, since what was written is known again by them. */
export interface Content {
  readonly body: Buffer;
  readonly attributes: Attributes;
}

/** How a kind lays a place out in items; pure, so all of it is known without the system. */
export interface CasCodec<Fields extends DestinationFields> {
  /** In every message before the place: `consul`. */
  readonly kind: string;
  /**
   * Of the ledger and the undo record: their largest body, told as `too-large` before anything is written, what is written with it, and from which
   * size on it is written as gzip (never, if absent).
   */
  readonly own: { readonly maxBytes: number; readonly compressAbove?: number; readonly attributes: Attributes };
  /** What a person calls an item in this kind, `object`, `key`, `znode`. */
  readonly item: string;
  layout(place: Place<Fields>): CasLayout;
}

export type CasLayout = KeysLayout | DocumentLayout;

interface OwnNames {
  /** Names of items as the store takes them. */
  readonly ledger: string;
  readonly undo: string;
  /** The largest body of an item; a larger one that is there already is `too-large` for a read as well. */
  readonly maxBytes: number;
}

/** An item for each sink key. */
export interface KeysLayout extends OwnNames {
  readonly shape: 'keys';
  /** Name of the key's item; different keys have different names, none the ledger's or undo record's. */
  nameOf(key: string): string;
  /** `live` is what is there now, and what people set beside its value stays. */
  encode(entry: RenderedEntry, live: Item | null): Content;
  /** The text, as `render` gives it; null where the item holds none that can be one. */
  decode(item: Item): string | null;
}

/** One item with all keys in it. */
export interface DocumentLayout extends OwnNames {
  readonly shape: 'document';
  readonly name: string;
  /** `kept` are leaves of the live document that stay. */
  encode(entries: readonly RenderedEntry[], kept: readonly RenderedEntry[], live: Item | null): Content;
  /** The leaves by sink key, or why it is no document of its format. */
  decode(item: Item): { readonly leaves: ReadonlyMap<string, RenderedEntry> } | { readonly corrupt: string };
}
