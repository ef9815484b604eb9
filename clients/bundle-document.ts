import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node, type Pair, type YAMLMap } from 'yaml';
import { formatPath, type Origin, type Path } from '../domain/value.ts';
import type { Problem } from '../domain/problem.ts';

/** A bundle's text as plain data, and where each part of it stands. */
export interface BundleDocument {
  /** Undefined where the text is no usable YAML. */
  readonly data: unknown;
  readonly problems: readonly Problem[];
  /** Position of the value at a path (of a map's or list's key), or of the deepest part that is there. `key`: of the last name of the path. */
  originOf(path: Path, part: 'key' | 'value'): Origin;
}

/** Reads YAML 1.2 or JSON. Keys that stand twice, that are no text, or that JavaScript would lose are problems. */
export function readBundleDocument(text: string, file: string): BundleDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false });
  const at = (offset: number): Origin => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const syntax = [...document.errors, ...document.warnings].map((error): Problem => ({ message: syntaxMessage(error.message), origin: at(error.pos[0]) }));
  const originOf = (path: Path, part: 'key' | 'value'): Origin => at(offsetOf(document, path, part));
  if (syntax.length > 0) return { data: undefined, problems: syntax, originOf };
  const keys = keyProblems(document, document.contents, [], at);
  if (keys.length > 0) return { data: undefined, problems: keys, originOf };
  try {
    return { data: document.toJS({ maxAliasCount: 10_000 }) as unknown, problems: [], originOf };
  } catch {
    return { data: undefined, problems: [{ message: 'has too many aliases; write the parts out', origin: at(0) }], originOf };
  }
}

function syntaxMessage(message: string): string {
  // The library's own messages name the syntax; only this one speaks of its own interface.
  return message.startsWith('Source contains multiple documents') ? 'a bundle is one YAML document; remove the "---" between' : `is not valid YAML: ${message}`;
}

function keyProblems(document: Document.Parsed, node: unknown, path: Path, at: (offset: number) => Origin): Problem[] {
  if (isAlias(node) && !node.resolve(document)) return [{ message: 'is an alias that leads nowhere', origin: at(startOf(node)), key: formatPath(path) }];
  if (isSeq(node)) return node.items.flatMap((item, index) => keyProblems(document, item, [...path, String(index)], at));
  if (!isMap(node)) return [];
  const seen = new Map<string, Origin>();
  return node.items.flatMap((pair): Problem[] => {
    const origin = at(startOf(pair.key));
    if (!isScalar(pair.key)) return [{ message: 'a key must be a plain text', origin, key: formatPath(path) }];
    const name = nameOf(pair);
    const key = formatPath([...path, name]);
    const first = seen.get(name);
    if (first) return [{ message: `stands twice, first in line ${first.line}; remove one`, origin, key }];
    if (name === '__proto__') return [{ message: 'is not a possible name', origin, key }];
    seen.set(name, origin);
    return keyProblems(document, pair.value, [...path, name], at);
  });
}

function offsetOf(document: Document.Parsed, path: Path, part: 'key' | 'value'): number {
  let node: unknown = document.contents;
  let offset = startOf(node);
  for (const [index, name] of path.entries()) {
    const container = isAlias(node) ? node.resolve(document) : node;
    if (isMap(container)) {
      const pair = pairsOf(container).get(name);
      if (!pair) return offset;
      const isValue = part === 'value' && index === path.length - 1 && isScalar(pair.value) && pair.value.range;
      node = pair.value;
      offset = isValue ? startOf(node) : startOf(pair.key);
    } else if (isSeq(container)) {
      const item = container.items[Number(name)];
      if (item === undefined) return offset;
      node = item;
      offset = startOf(item);
    } else return offset;
  }
  return offset;
}

/** Looked up, since a file with thousands of mistakes asks for each of them. */
const pairsByMap = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();

function pairsOf(map: YAMLMap): ReadonlyMap<string, Pair> {
  const known = pairsByMap.get(map);
  if (known) return known;
  const pairs = new Map<string, Pair>();
  for (const pair of map.items) if (!pairs.has(nameOf(pair))) pairs.set(nameOf(pair), pair);
  pairsByMap.set(map, pairs);
  return pairs;
}

function nameOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : '';
}

function startOf(node: unknown): number {
  return (node as Node | null)?.range?.[0] ?? 0;
}
