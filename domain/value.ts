/** One scalar of a configuration. Integers outside ±(2^53-1) are bigint; dates are ISO 8601 strings. */
export type Scalar = null | boolean | number | bigint | string;

/** The typed value model that all eight file formats are read into. Maps keep the order of the file. */
export type Value = Scalar | readonly Value[] | ReadonlyMap<string, Value>;

/** Where a value was written: `file` is the path inside the repository, `line` and `column` count from 1 (columns in UTF-16 units). */
export interface Origin {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * A value that remembers where each part of it was written, through overlays, environment blocks and selection.
 * The origin of a map entry is that of its value; of a map, of its first character or of the key that opens it.
 */
export type Node = ScalarNode | ListNode | MapNode;

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly value: Scalar;
  readonly origin: Origin;
}

export interface ListNode {
  readonly kind: 'list';
  readonly items: readonly Node[];
  readonly origin: Origin;
}

export interface MapNode {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, Node>;
  readonly origin: Origin;
}

/** A path in a document: map keys, and list indexes as decimal strings. */
export type Path = readonly string[];

/** Strips the origins. */
export function valueOf(node: Node): Value {
  switch (node.kind) {
    case 'scalar':
      return node.value;
    case 'list':
      return node.items.map(valueOf);
    case 'map':
      return new Map([...node.entries].map(([key, child]) => [key, valueOf(child)]));
  }
}

/** The node at `path`, or undefined. */
export function nodeAt(node: Node, path: Path): Node | undefined {
  let at: Node | undefined = node;
  for (const step of path) {
    if (at?.kind === 'map') at = at.entries.get(step);
    else if (at?.kind === 'list') at = /^\d+$/.test(step) ? at.items[Number(step)] : undefined;
    else return undefined;
  }
  return at;
}

/** The origin of the deepest node that exists on the way to `path`: where a reader should look for what is wrong (or missing) there. */
export function originAt(node: Node, path: Path): Origin {
  for (let length = path.length; length > 0; length--) {
    const found = nodeAt(node, path.slice(0, length));
    if (found) return found.origin;
  }
  return node.origin;
}

/**
 * JSON text with exact integers, map entries in their order, no white space. Equal values give equal text when `sorted` orders the keys.
 * A non-finite number cannot be written in JSON; the format parsers refuse it, so one here is a bug and throws.
 */
export function toJson(value: Value, order: 'sorted' | 'kept' = 'kept'): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError('a number that is not finite has no JSON text');
    return JSON.stringify(value);
  }
  if (typeof value === 'string') return JSON.stringify(value);
  if (isMap(value)) {
    const entries = [...value];
    if (order === 'sorted') entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${entries.map(([key, child]) => `${JSON.stringify(key)}:${toJson(child, order)}`).join(',')}}`;
  }
  return `[${value.map((child) => toJson(child, order)).join(',')}]`;
}

export function isMap(value: Value): value is ReadonlyMap<string, Value> {
  return value instanceof Map;
}

/** A path as people write it: dots between names, a literal dot as `\.`, a literal backslash as `\\`. */
export function formatPath(path: Path): string {
  return path.map((name) => name.replaceAll('\\', '\\\\').replaceAll('.', '\\.')).join('.');
}

/** Inverse of {@link formatPath}. */
export function parsePath(text: string): Path {
  const path: string[] = [];
  let name = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '\\' && i + 1 < text.length) name += text[++i];
    else if (char === '.') {
      path.push(name);
      name = '';
    } else name += char;
  }
  path.push(name);
  return path;
}
