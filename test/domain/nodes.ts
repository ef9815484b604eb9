import type { MapNode, Node, Value } from '../../domain/value.ts';
import { isMap } from '../../domain/value.ts';

/** A node of plain data; every part of it stands in line `line` of `file`. Objects are maps. */
export function nodeOf(data: unknown, file = 'a.yaml', line = 1): Node {
  const origin = { file, line, column: 1 };
  if (Array.isArray(data)) return { kind: 'list', items: data.map((item) => nodeOf(item, file, line)), origin };
  if (data instanceof Map || (typeof data === 'object' && data !== null)) {
    const entries = data instanceof Map ? [...data] : Object.entries(data);
    return { kind: 'map', entries: new Map(entries.map(([key, child]) => [String(key), nodeOf(child, file, line)])), origin };
  }
  return { kind: 'scalar', value: data as null | boolean | number | bigint | string, origin };
}

export function mapOf(data: Record<string, unknown> | ReadonlyMap<string, unknown>, file = 'a.yaml', line = 1): MapNode {
  const node = nodeOf(data, file, line);
  if (node.kind !== 'map') throw new TypeError('not a map');
  return node;
}

/** Maps as objects, for expectations. */
export function plain(value: Value): unknown {
  if (isMap(value)) return Object.fromEntries([...value].map(([key, child]) => [key, plain(child)]));
  return Array.isArray(value) ? value.map(plain) : value;
}
