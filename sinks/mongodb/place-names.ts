/** Where the documents of a place are. */
export interface Namespace {
  readonly database: string;
  readonly collection: string;
}

export interface PlaceNames extends Namespace {
  /** Of the one document; empty with layout `keys`. */
  readonly id: string;
}

/** `_id` of the ledger and the undo record of a collection. */
export const LEDGER_ID = '.vartrack';
export const UNDO_ID = '.vartrack.undo';

/** The part of a document that is varTrack's. */
export const OWN_FIELD = '_vartrack';

export function placeNames(place: string): PlaceNames {
  const [database = '', collection = '', ...id] = place.split('/');
  return { database, collection, id: id.join('/') };
}

/** What is wrong with `database/collection/id` or `database/collection`, or null. */
export function placeNameProblem(place: string, layout: 'document' | 'keys'): string | null {
  const { database, collection, id } = placeNames(place);
  const form = layout === 'document' ? 'database/collection/id' : 'database/collection';
  if (place.split('/').length < (layout === 'document' ? 3 : 2)) return `has to be ${form}`;
  if (layout === 'keys' && id !== '') return `has to be ${form}, and has a / too many`;
  if (!place.isWellFormed()) return 'has one half of a surrogate pair';
  if (/[\u0000-\u001f\u007f]/.test(place)) return 'has a control character';
  if (database === '' || Buffer.byteLength(database) > 63) return 'has a name of a database that is not 1 to 63 bytes long';
  if (/[\\. "$*<>:|?]/.test(database)) return `has ${JSON.stringify(database)} for a database; the name of one has none of \\ . space " $ * < > : | ?`;
  if (['admin', 'local', 'config'].includes(database.toLowerCase())) return `is in ${database}, a database of the server itself`;
  if (collection === '') return `has to be ${form}, and has no collection`;
  if (collection.includes('$')) return 'has a $ in the name of its collection';
  if (collection.startsWith('system.')) return 'is a collection of the server itself';
  if (Buffer.byteLength(`${database}.${collection}`) > MAX_NAMESPACE_BYTES) return `has a database and a collection of more than ${MAX_NAMESPACE_BYTES} bytes`;
  if (layout === 'keys') return null;
  if (id === '') return `has to be ${form}, and has no id`;
  if (id === LEDGER_ID || id === UNDO_ID) return `has the id ${id}, which is where the ledger of a collection lives`;
  return Buffer.byteLength(id) > MAX_ID_BYTES ? `has an id of more than ${MAX_ID_BYTES} bytes` : null;
}

const MAX_NAMESPACE_BYTES = 255;
export const MAX_ID_BYTES = 1_000;
