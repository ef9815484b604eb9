import { unflatten } from '../../domain/flatten.ts';
import type { RenderedEntry } from '../../domain/plan.ts';
import { formatProblem, InvalidInput } from '../../domain/problem.ts';
import { formatPath, type Path } from '../../domain/value.ts';
import type { CasCodec, DocumentLayout, KeysLayout } from '../cas/codec.ts';
import { SinkError } from '../errors.ts';
import type { MongodbFields } from '../mongodb.ts';
import { decodeTree, encodeTree, isTreeList, isTreeMap, type Bson, type Tree, type TreeMap } from './bson-tree.ts';
import { textOfTree, treeOfValue, valueOfTree } from './bson-value.ts';
import { PART } from './document-store.ts';
import { LEDGER_ID, UNDO_ID } from './place-names.ts';

/** What the server takes for a document, less the rest of it. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024 - 64 * 1024;

/** People read small ledgers; large undo records compete with the document for its 16 MiB. */
const COMPRESS_ABOVE_BYTES = 64 * 1024;

export function createCodec(bson: Bson): CasCodec<MongodbFields> {
  const keys: KeysLayout = {
    shape: 'keys',
    ledger: LEDGER_ID,
    undo: UNDO_ID,
    maxBytes: MAX_BODY_BYTES,
    nameOf: (key) => key,
    encode: ({ value }, live) => ({ body: encodeTree(new Map([['v', treeOfValue(value, bson)]]), bson), attributes: live?.attributes ?? {} }),
    decode: ({ body }) => (body.length === 0 ? 'BSON without a value' : textOfTree(decodeTree(body, bson).get('v') ?? null, bson)),
  };

  const document: DocumentLayout = {
    shape: 'document',
    ledger: PART.ledger,
    undo: PART.undo,
    maxBytes: MAX_BODY_BYTES,
    name: PART.content,
    encode: (entries, kept, live) => ({
      body: encodeTree(contentOf(entries, kept, live ? decodeTree(live.body, bson) : new Map(), bson), bson),
      attributes: {},
    }),
    decode: ({ body }) => {
      const content = decodeTree(body, bson);
      const strange = strangeIn(content, []);
      if (strange) return { corrupt: strange };
      return { leaves: new Map(leavesOf([], content, bson).map((leaf) => [leaf.key, leaf])) };
    },
  };

  return {
    kind: 'mongodb',
    own: { maxBytes: MAX_BODY_BYTES, compressAbove: COMPRESS_ABOVE_BYTES, attributes: {} },
    item: 'document',
    layout: (place) => (place.fields.layout === 'keys' ? keys : document),
  };
}

/** What is kept stays the BSON that it is, also where values know no such type. */
function contentOf(entries: readonly RenderedEntry[], kept: readonly RenderedEntry[], live: TreeMap, bson: Bson): TreeMap {
  const content = unflattened([...entries, ...kept], bson);
  for (const { path } of kept) {
    const value = treeAt(live, path);
    const above = treeAt(content, path.slice(0, -1));
    if (value !== undefined && above instanceof Map) (above as Map<string, Tree>).set(path.at(-1) ?? '', value);
  }
  return content;
}

function unflattened(entries: readonly RenderedEntry[], bson: Bson): TreeMap {
  try {
    return treeOfValue(unflatten(entries), bson) as TreeMap;
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    throw new SinkError('rejected', error.problems.map(formatProblem).join('; '));
  }
}

function treeAt(tree: TreeMap, path: Path): Tree | undefined {
  let at: Tree | undefined = tree;
  for (const name of path) at = at !== undefined && isTreeMap(at) ? at.get(name) : undefined;
  return at;
}

/** As `flatten` of the domain does it: null is no leaf, a map of nothing is one. */
function leavesOf(path: Path, tree: Tree, bson: Bson): readonly RenderedEntry[] {
  if (tree === null) return [];
  if (isTreeMap(tree)) {
    const present = [...tree].filter(([, child]) => child !== null);
    if (present.length > 0) return present.flatMap(([name, child]) => leavesOf([...path, name], child, bson));
    return path.length === 0 ? [] : [{ path, value: new Map(), key: formatPath(path), text: '{}' }];
  }
  const text = textOfTree(tree, bson);
  return [{ path, value: valueOfTree(tree) ?? text, key: formatPath(path), text }];
}

/** Types that are no data but code, patterns and marks of the server itself. */
const STRANGE = new Set(['BSONRegExp', 'BSONSymbol', 'Code', 'DBRef', 'MinKey', 'MaxKey', 'Timestamp']);

function strangeIn(tree: Tree, path: Path): string | null {
  if (typeof tree !== 'object' || tree === null || tree instanceof Date) return null;
  const children = isTreeMap(tree) ? [...tree] : isTreeList(tree) ? tree.map((item, index) => [String(index), item] as const) : [];
  for (const [name, child] of children) {
    const found = strangeIn(child, [...path, name]);
    if (found !== null) return found;
  }
  return '_bsontype' in tree && STRANGE.has(tree._bsontype) ? `holds a ${tree._bsontype} at ${formatPath(path)}, which is no configuration` : null;
}
