import { SinkError } from '../errors.ts';
import type { Attributes, CasStore, Item, ItemChange } from '../cas/cas-store.ts';
import { decodeTree, encodeTree, type Bson, type Tree, type TreeMap } from './bson-tree.ts';
import type { Documents } from './documents.ts';
import { documentFilter, isExactly } from './exact-filter.ts';
import { bytesOf, versionOf, treeOfBytes } from './item-body.ts';
import { LEDGER_ID, placeNames, UNDO_ID } from './place-names.ts';

/** The field that holds the value of a key. What else people put into its document stays. */
export const VALUE_FIELD = 'value';

/** A document for each key, its name the `_id`. The body of an item is `{ v: value }` as BSON, or empty where the document has no value. */
export function createKeysStore(documents: Documents, bson: Bson, atOnce = 32): CasStore {
  const get: CasStore['get'] = async (place, names, maxBytes, signal) => {
    const found = await documents.find(placeNames(place.name), [...new Set(names)], signal);
    return names.map((name) => {
      const document = found.get(name);
      if (!document) return null;
      const item = itemOf(name, document, bson);
      if (item.body.length > maxBytes)
        throw new SinkError('too-large', `mongodb ${place.name}: ${name} has ${item.body.length} bytes, above the limit of ${maxBytes}`, { key: name });
      return item;
    });
  };

  return {
    atOnce,
    get,
    version: async (place, name, signal) => (await get(place, [name], Number.MAX_SAFE_INTEGER, signal))[0]?.version ?? null,

    write: async (place, changes, signal) => {
      const at = placeNames(place.name);
      // What a filter has to say is more than a version: it is the value, which a version only tells.
      const known = changes.filter((change) => change.expected !== null || change.action === 'check').map((change) => change.name);
      const found = known.length === 0 ? new Map<string, TreeMap>() : await documents.find(at, known, signal);
      const documentOf = ({ name, expected }: ItemChange): TreeMap => {
        const document = found.get(name);
        const version = document ? itemOf(name, document, bson).version : null;
        if (version !== expected) throw new SinkError('conflict', `mongodb ${place.name}: ${name} changed since it was read`, { key: name });
        return document ?? new Map();
      };
      const current = changes.map((change) => (change.action === 'put' && change.expected === null ? null : documentOf(change)));
      const inserts = changes.flatMap((change) =>
        change.action === 'put' && change.expected === null ? [documentFor(change.name, change.body, change.attributes, bson)] : [],
      );
      const updates = changes.flatMap((change, index) =>
        change.action === 'put' && change.expected !== null
          ? [{ filter: valueFilter(change.name, current[index] ?? new Map()), document: operatorFor(change.name, change.body, bson) }]
          : [],
      );
      const removals = changes.flatMap((change, index) => (change.action === 'delete' ? [documentFilter(current[index] ?? new Map(), [])] : []));
      await documents.insert(at, inserts, signal);
      await documents.update(at, updates, signal);
      await documents.remove(at, removals, signal);
      return changes.map((change) => {
        if (change.action === 'check') return change.expected;
        return change.action === 'put' ? versionOf(change.body) : null;
      });
    },

    close: () => documents.close(),
  };
}

function fieldOf(name: string): string {
  if (name === LEDGER_ID) return 'ledger';
  return name === UNDO_ID ? 'record' : VALUE_FIELD;
}

function itemOf(name: string, document: TreeMap, bson: Bson): Item {
  const field = fieldOf(name);
  const value = document.get(field);
  if (field !== VALUE_FIELD) {
    const body = bytesOf(value);
    return { body, version: versionOf(body), attributes: {} };
  }
  const body = value === undefined ? Buffer.alloc(0) : encodeTree(new Map([['v', value]]), bson);
  const isPlain = document.size === 2 && value !== undefined;
  return { body, version: versionOf(body), attributes: isPlain ? {} : { document: aroundValue(document, bson) } };
}

/** What people put beside the value, for the day when an undo has to make the document anew. */
function aroundValue(document: TreeMap, bson: Bson): string {
  const around = [...document].map(([name, value]) => [name, name === VALUE_FIELD ? null : value] as const);
  return encodeTree(new Map(around), bson).toString('base64');
}

function documentFor(name: string, body: Buffer, attributes: Attributes, bson: Bson): TreeMap {
  const value = treeFor(name, body, bson);
  const around = attributes['document'];
  if (typeof around !== 'string') return new Map<string, Tree>([['_id', name], ...(value === undefined ? [] : [[fieldOf(name), value] as const])]);
  const document = new Map(decodeTree(Buffer.from(around, 'base64'), bson));
  if (value !== undefined) document.set(VALUE_FIELD, value);
  return document;
}

function operatorFor(name: string, body: Buffer, bson: Bson): TreeMap {
  const value = treeFor(name, body, bson);
  const field = fieldOf(name);
  return value === undefined ? new Map([['$unset', new Map([[field, true]])]]) : new Map([['$set', new Map([[field, value]])]]);
}

function valueFilter(name: string, document: TreeMap): TreeMap {
  const field = fieldOf(name);
  return new Map<string, Tree>([
    ['_id', name],
    [field, isExactly(document.get(field))],
  ]);
}

function treeFor(name: string, body: Buffer, bson: Bson): Tree | undefined {
  if (name === LEDGER_ID || name === UNDO_ID) return treeOfBytes(body, bson);
  return body.length === 0 ? undefined : decodeTree(body, bson).get('v');
}
