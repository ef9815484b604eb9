import type { DesiredEntry, RenderedEntry } from './plan.ts';
import { InvalidInput, type Problem } from './problem.ts';
import { formatPath, isMap, toJson, type Path, type Value } from './value.ts';

/**
 * The leaves of a document in its order: scalars, empty maps and lists. `index` expands a list that is not empty to a leaf for each item.
 * `null` means that the key must not exist, so it gives no leaf, and a map of nothing but nulls is an empty map; inside a list leaf it is a value.
 */
export function flatten(value: ReadonlyMap<string, Value>, lists: 'json' | 'index'): DesiredEntry[] {
  return [...value].flatMap(([key, child]) => leavesOf([key], child, lists));
}

function leavesOf(path: Path, value: Value, lists: 'json' | 'index'): DesiredEntry[] {
  if (value === null) return [];
  if (isMap(value)) {
    const present = [...value].filter(([, child]) => child !== null);
    if (present.length === 0) return [{ path, value: new Map() }];
    return present.flatMap(([key, child]) => leavesOf([...path, key], child, lists));
  }
  if (Array.isArray(value) && lists === 'index' && value.length > 0) {
    return value.flatMap((item: Value, index) => leavesOf([...path, String(index)], item, lists));
  }
  return [{ path, value }];
}

/** Inverse of {@link flatten} with `json`. Throws InvalidInput where one path is a leaf and another leads through it, or is there twice. */
export function unflatten(entries: readonly DesiredEntry[]): ReadonlyMap<string, Value> {
  const root = new Map<string, Value>();
  // Only maps made here may be walked into; a map that is a leaf stays one.
  const branches = new Set<Value>([root]);
  for (const { path, value } of entries) {
    let at = root;
    for (const [depth, name] of path.entries()) {
      const found = at.get(name);
      if (depth === path.length - 1) {
        if (found !== undefined) throw clash(path, path);
        at.set(name, value);
      } else if (found === undefined) {
        const branch = new Map<string, Value>();
        branches.add(branch);
        at.set(name, branch);
        at = branch;
      } else {
        if (!branches.has(found)) throw clash(path.slice(0, depth + 1), path);
        at = found as Map<string, Value>;
      }
    }
  }
  return root;
}

function clash(leaf: Path, path: Path): InvalidInput {
  const [a, b] = [formatPath(leaf), formatPath(path)];
  return new InvalidInput([{ key: b, message: a === b ? 'it is there twice, or both a value and a map' : `${a} is a value and cannot also hold ${b}` }]);
}

/** Text of a leaf in sinks of plain strings: strings as they are, other scalars as they read in JSON, lists and maps as JSON. */
export function leafText(value: Value): string {
  return typeof value === 'string' ? value : toJson(value);
}

/** A problem for each path that renders to a sink key that an earlier one has already taken. */
export function findCollisions(entries: readonly RenderedEntry[]): Problem[] {
  const taken = new Map<string, Path>();
  const problems: Problem[] = [];
  for (const { key, path } of entries) {
    const first = taken.get(key);
    if (first === undefined) taken.set(key, path);
    else problems.push({ key: formatPath(path), message: `it becomes the sink key ${key}, as does ${formatPath(first)}; rename one of them` });
  }
  return problems;
}
