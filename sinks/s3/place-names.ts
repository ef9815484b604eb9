/** The objects of one place. */
export interface PlaceNames {
  readonly bucket: string;
  /** The object itself, or what the names of all objects begin with. */
  readonly name: string;
  readonly ledger: string;
  readonly undo: string;
  /** Never there; see `assureConditions` of the store. */
  readonly probe: string;
}

export function placeNames(place: string): PlaceNames {
  const slash = place.indexOf('/');
  const name = place.slice(slash + 1);
  return { bucket: place.slice(0, slash), name, ledger: `${name}.vartrack.json`, undo: `${name}.vartrack.undo.json`, probe: `${name}.vartrack.probe.json` };
}

/** What is wrong with `bucket/key` or `bucket/prefix/`, or null. */
export function placeNameProblem(place: string, layout: 'object' | 'keys'): string | null {
  if (!place.includes('/')) return layout === 'object' ? 'has to be bucket/key' : 'has to be bucket/prefix/';
  const { bucket, name } = placeNames(place);
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) return `has ${JSON.stringify(bucket)} for a bucket; a name of one is 3 to 63 of a-z, 0-9, - and .`;
  if (!name.isWellFormed()) return 'has one half of a surrogate pair';
  // Control characters cannot stand in the XML of the protocol; a backslash is a slash to some servers.
  if (/[\u0000-\u001f\u007f\\]/.test(name)) return 'has a control character or a backslash';
  if (layout === 'object' && (name === '' || name.endsWith('/'))) return 'has to be bucket/key, and ends in /';
  if (layout === 'keys' && name !== '' && !name.endsWith('/')) return 'has to be bucket/prefix/, ending in /';
  const steps = (layout === 'keys' ? name.slice(0, -1) : name).split('/');
  if (name !== '' && steps.some((step) => ['', '.', '..'].includes(step))) return 'has an empty step, . or .. in its key';
  if (isReserved(name)) return 'ends in .vartrack.json, which is where ledgers live';
  const limit = layout === 'object' ? MAX_OBJECT_BYTES : MAX_PREFIX_BYTES;
  return Buffer.byteLength(name) > limit ? `has a key that is longer than ${limit} bytes` : null;
}

/**
 * The object of a sink key below a prefix, its name without the prefix. `/` would make a folder of what may be an object too, and `\` is one to some
 * servers.
 */
export function entryName(key: string): string {
  return key.replaceAll(/[%/\\\u0000-\u001f\u007f]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

export function isReserved(name: string): boolean {
  return /\.vartrack(\.undo|\.probe)?\.json$/.test(name);
}

// S3 takes 1,024 bytes; the rest is for what is added to the name.
const MAX_OBJECT_BYTES = 1_000;
const MAX_PREFIX_BYTES = 400;
export const MAX_ENTRY_NAME_BYTES = 1_024 - MAX_PREFIX_BYTES;
