/** The Redis keys of one place. All of them hash to one cluster slot, so that one script may touch them together. */
export interface PlaceKeys {
  readonly ledger: string;
  readonly undo: string;
  /**
   * Never there. While a cluster moves the slot, a node refuses a command for keys that are not all there, so it refuses one that names this key, at
   * once. Without it a script would begin, and break off at the first key that it had deleted itself.
   */
  readonly guard: string;
}

/**
 * A place with a hash tag of its own (`{acme}:prod`) shares it with its ledger; for one without, the whole place becomes the ledger's tag, which
 * hashes like the bare key. The entries of a key prefix are in one slot only if the prefix has a tag.
 */
export function placeKeys(place: string): PlaceKeys {
  const ledger = hasTag(place) ? `${place}:vartrack` : `{${place}}:vartrack`;
  return { ledger, undo: `${ledger}:undo`, guard: `${ledger}:none` };
}

/** Entries of a key prefix that would be the prefix's own ledger or beside it. */
export function isReservedEntry(key: string): boolean {
  return /^:vartrack(:undo|:none)?$/.test(key);
}

/** What is wrong with a hash key, string key or key prefix, or null. */
export function placeNameProblem(name: string): string | null {
  if (name === '') return 'is empty';
  if (!name.isWellFormed()) return 'has one half of a surrogate pair';
  if (Buffer.byteLength(name) > MAX_PLACE_BYTES) return `is longer than ${MAX_PLACE_BYTES} bytes`;
  if (/:vartrack(:undo|:none)?$/.test(name)) return 'ends in :vartrack, which is where ledgers live';
  // With any other brace the ledger of the place could fall into another slot than the place.
  if (/[{}]/.test(name) && !hasTag(name)) return 'has a brace that is not part of a hash tag such as {acme}';
  return null;
}

const MAX_PLACE_BYTES = 1_024;

/** Redis takes what stands between the first `{` and the next `}`, if anything does. */
export function hasTag(name: string): boolean {
  return /^[^{]*\{[^}]+\}/.test(name);
}
