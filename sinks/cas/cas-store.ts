import type { Place } from '../sink.ts';

/** What a system keeps with a value and gets back with it in an undo: content type and tags of an S3 object, the ACL of a znode. JSON. */
export type Attributes = Readonly<Record<string, unknown>>;

/** One stored thing that can be written conditionally by itself: an S3 object, a Consul key, a MongoDB document, a znode. */
export interface Item {
  readonly body: Buffer;
  /** What a conditional write names: ETag, ModifyIndex, revision, znode version. Another one after every write. */
  readonly version: string;
  readonly attributes: Attributes;
}

/** One conditional step. `expected` is the version that was read, null where the item has to be absent. */
export type ItemChange =
  | { readonly action: 'put'; readonly name: string; readonly expected: string | null; readonly body: Buffer; readonly attributes: Attributes }
  | { readonly action: 'delete'; readonly name: string; readonly expected: string }
  | { readonly action: 'check'; readonly name: string; readonly expected: string | null };

/**
 * A system of compare-and-set, as small as the write protocol needs it. Names are the driver's own, given by its codec. Every method throws
 * SinkError and nothing else, and stops at the signal.
 */
export interface CasStore {
  /** The items in the order asked, null where there is none (only if the system said so). Throws `too-large` for a body above `maxBytes`. */
  get(place: Place, names: readonly string[], maxBytes: number, signal: AbortSignal): Promise<readonly (Item | null)[]>;
  /**
   * What a read needs of `get`, for a system that can tell as well whether the first item was the same from before the others were read until after, in as
   * many round trips as `get` takes. Attributes may be left out.
   */
  getSteady?(place: Place, names: readonly string[], signal: AbortSignal): Promise<{ readonly items: readonly (Item | null)[]; readonly isSteady: boolean }>;
  /** The version of one item now, null where there is none; cheap where the system can. */
  version(place: Place, name: string, signal: AbortSignal): Promise<string | null>;
  /**
   * Carries the changes out, each conditional by itself, in any order and as many at a time as the system likes. Gives the new versions (null for
   * a delete). Throws `conflict` if a condition did not hold; others of them may then be done. A check is one more read at most.
   */
  write(place: Place, changes: readonly ItemChange[], signal: AbortSignal): Promise<readonly (string | null)[]>;
  /** How many changes are given to `write` at a time, 32 if absent; for a system that takes many in one command. */
  readonly atOnce?: number;
  /**
   * What a write still has to do when all values are there, before the ledger calls it done: a failure here is gone on with by the next attempt. Of a
   * store without transactions.
   */
  settle?(place: Place, signal: AbortSignal): Promise<void>;
  /** All changes or none, where the system has transactions. */
  readonly transaction?: {
    /** Whether one transaction takes these. */
    fits(changes: readonly ItemChange[]): boolean;
    /** Throws `conflict`, having changed nothing, if a condition did not hold. */
    commit(place: Place, changes: readonly ItemChange[], signal: AbortSignal): Promise<readonly (string | null)[]>;
  };
  close(): Promise<void>;
}
