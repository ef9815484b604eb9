import { SinkError } from '../errors.ts';
import type { CasStore, Item, ItemChange } from '../cas/cas-store.ts';
import type { Place } from '../sink.ts';
import { decodeTree, encodeTree, isTreeMap, type Bson, type Tree, type TreeMap } from './bson-tree.ts';
import type { Documents } from './documents.ts';
import { documentFilter } from './exact-filter.ts';
import { bytesOf, versionOf, treeOfBytes } from './item-body.ts';
import { OWN_FIELD, placeNames } from './place-names.ts';

/** The items of a place: its document without what is ours, and what is ours in it. All of them change in one step. */
export const PART = { content: 'content', ledger: 'ledger', undo: 'undo' } as const;

const PARTS: ReadonlySet<string> = new Set(Object.values(PART));

/** 16 MiB, less what a command adds to it. */
const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024 - 16 * 1024;

type Parts = ReadonlyMap<string, Item>;

interface Sight {
  readonly place: string;
  readonly document: TreeMap | null;
  readonly parts: Parts;
}

/**
 * One document that holds ledger and undo record as well, so that each write is one conditional replacement. A document of ours only is absent. For the
 * calls of one operation at one place: it remembers the document that was looked at last, since a replacement has to name all of it.
 */
export function createDocumentStore(documents: Documents, bson: Bson): CasStore & Required<Pick<CasStore, 'transaction'>> {
  let latest: Sight | undefined;

  async function look(place: Place, signal: AbortSignal): Promise<Sight> {
    const { id, ...at } = placeNames(place.name);
    const document = (await documents.find(at, [id], signal)).get(id) ?? null;
    return (latest = { place: place.name, document, parts: document ? partsOf(document, bson) : new Map<string, Item>() });
  }

  /** What is there as far as we know; the filter of the write says whether it still is. Of what is not written, nothing else would say it. */
  async function sightFor(place: Place, changes: readonly ItemChange[], signal: AbortSignal): Promise<Sight> {
    const known = latest;
    latest = undefined;
    const isEnough = changes.some(({ action }) => action !== 'check') && known?.place === place.name && stands(known, changes);
    return isEnough ? known : look(place, signal);
  }

  async function commit(place: Place, changes: readonly ItemChange[], signal: AbortSignal): Promise<readonly (string | null)[]> {
    const sight = await sightFor(place, changes, signal);
    if (!stands(sight, changes)) throw moved(place);
    const { document, parts } = sight;
    latest = undefined;
    const bodies = new Map([...parts].map(([name, item]) => [name, item.body]));
    for (const change of changes) {
      if (change.action === 'put') bodies.set(change.name, change.body);
      else if (change.action === 'delete') bodies.delete(change.name);
    }
    if (changes.some((change) => change.action !== 'check')) await put(place, document, documentOf(place, bodies, bson), signal);
    return changes.map(({ name }) => {
      const body = bodies.get(name);
      return body ? versionOf(body) : null;
    });
  }

  async function put(place: Place, current: TreeMap | null, next: TreeMap | null, signal: AbortSignal): Promise<void> {
    const { id: _, ...at } = placeNames(place.name);
    if (!next) {
      if (current) await documents.remove(at, [documentFilter(current, [])], signal);
      return;
    }
    const bytes = bson.calculateObjectSize(next);
    if (bytes > MAX_DOCUMENT_BYTES) {
      const what = `the document with its ledger and what the write replaces would have ${bytes} bytes`;
      throw new SinkError('too-large', `mongodb ${place.name}: ${what}, above the limit of ${MAX_DOCUMENT_BYTES}`);
    }
    if (!current) return documents.insert(at, [next], signal);
    const filter = documentFilter(current, [...next.keys()]);
    const replaced = await documents.replace(at, { filter, document: next }, signal);
    if (!replaced) throw moved(place);
    if (replaced.equals(asReplied(current, bson))) return;
    // A filter cannot say that there is no other field. Somebody has added one since, and gets it back.
    await documents.replace(at, { filter: documentFilter(next, []), document: decodeTree(replaced, bson) }, signal).catch(() => undefined);
    throw moved(place);
  }

  return {
    get: async (place, names, maxBytes, signal) => {
      const { parts } = await look(place, signal);
      return names.map((name) => {
        const item = parts.get(name) ?? null;
        if (item && item.body.length > maxBytes)
          throw new SinkError('too-large', `mongodb ${place.name}: the document has ${item.body.length} bytes, above the limit of ${maxBytes}`);
        return item;
      });
    },
    getSteady: async (place, names, signal) => {
      const { parts } = await look(place, signal);
      return { items: names.map((name) => parts.get(name) ?? null), isSteady: true };
    },
    version: async (place, name, signal) => (await look(place, signal)).parts.get(name)?.version ?? null,
    write: commit,
    transaction: { fits: (changes) => changes.every(({ name }) => PARTS.has(name)), commit },
    close: () => documents.close(),
  };
}

function stands({ parts }: Sight, changes: readonly ItemChange[]): boolean {
  return changes.every(({ name, expected }) => (parts.get(name)?.version ?? null) === expected);
}

function partsOf(document: TreeMap, bson: Bson): Parts {
  const parts = new Map<string, Item>();
  const add = (name: string, body: Buffer): void => void parts.set(name, { body, version: versionOf(body), attributes: {} });
  const content = [...document].filter(([name]) => name !== '_id' && name !== OWN_FIELD);
  if (content.length > 0) add(PART.content, encodeTree(new Map(content), bson));
  const own = document.get(OWN_FIELD);
  // What somebody made of our field is a damaged ledger, never an absent one.
  if (own === undefined) return parts;
  const fields: TreeMap = isTreeMap(own) ? own : new Map([[PART.ledger, null]]);
  for (const name of [PART.ledger, PART.undo]) {
    const value = fields.get(name);
    if (value !== undefined) add(name, bytesOf(value));
  }
  return parts;
}

/** Null where there is nothing left to store. */
function documentOf(place: Place, bodies: ReadonlyMap<string, Buffer>, bson: Bson): TreeMap | null {
  const [content, ledger, undo] = [PART.content, PART.ledger, PART.undo].map((name) => bodies.get(name));
  const own = new Map<string, Tree>();
  if (ledger) own.set(PART.ledger, treeOfBytes(ledger, bson));
  if (undo) own.set(PART.undo, treeOfBytes(undo, bson));
  if (!content && own.size === 0) return null;
  const document = new Map<string, Tree>([['_id', placeNames(place.name).id], ...(content ? decodeTree(content, bson) : [])]);
  if (own.size > 0) document.set(OWN_FIELD, own);
  return document;
}

/** The bytes that {@link Documents.replace} gives for a document. */
function asReplied(document: TreeMap, bson: Bson): Buffer {
  const reply = bson.deserialize(encodeTree(document, bson), { promoteValues: false, promoteLongs: false, promoteBuffers: false, bsonRegExp: true });
  return Buffer.from(bson.serialize(reply));
}

function moved(place: Place): SinkError {
  return new SinkError('conflict', `mongodb ${place.name}: the document changed since it was read`);
}
