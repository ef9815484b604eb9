import { parsePath } from '../../domain/value.ts';

export interface PlaceNames {
  readonly ledger: string;
  readonly undo: string;
}

export function placeNames(place: string): PlaceNames {
  return { ledger: `${place}.vartrack`, undo: `${place}.vartrack.undo` };
}

/** What is wrong with a key, or a prefix that ends in `/`; or null. */
export function placeNameProblem(place: string, layout: 'keys' | 'document'): string | null {
  if (place.startsWith('/')) return 'begins with /, and keys of Consul do not';
  if (!place.isWellFormed()) return 'has one half of a surrogate pair';
  if (/[\u0000-\u001f\u007f]/.test(place)) return 'has a control character';
  if (layout === 'keys' && !place.endsWith('/')) return 'has to be a prefix, ending in /';
  if (layout === 'document' && place.endsWith('/')) return 'has to be a key, and ends in /';
  const steps = (layout === 'keys' ? place.slice(0, -1) : place).split('/');
  if (steps.some((step) => ['', '.', '..'].includes(step))) return 'has an empty step, . or ..';
  if (isReserved(place)) return 'ends in .vartrack, which is where ledgers live';
  return Buffer.byteLength(place) > MAX_PLACE_BYTES ? `is longer than ${MAX_PLACE_BYTES} bytes` : null;
}

export type Separator = '.' | '/';

/**
 * The name below a prefix of a sink key (`redis.port`): with `/`, a folder for each name of its path. What the HTTP API refuses or takes for steps in its
 * own paths is percent-encoded, and so are slashes that are part of a name.
 */
export function entryName(key: string, separator: Separator): string {
  return separator === '.' ? encoded(key) : parsePath(key).map(encoded).join('/');
}

export function isReserved(name: string): boolean {
  return /\.vartrack(\.undo)?$/.test(name);
}

const MAX_PLACE_BYTES = 400;
export const MAX_ENTRY_NAME_BYTES = 600;

function encoded(step: string): string {
  // No name is encoded as a % alone.
  if (step === '') return '%';
  if (step === '.' || step === '..') return step.replaceAll('.', '%2E');
  return step.replaceAll(/[%/\u0000-\u001f\u007f]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}
