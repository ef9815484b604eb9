import type { MapNode, Node, Origin, Path } from '../../domain/value.ts';
import { duplicateKey, refusal } from './source-text.ts';

/** A map that is still being read. */
export interface MapDraft extends MapNode {
  readonly entries: Map<string, Node>;
}

export function mapDraft(origin: Origin): MapDraft {
  return { kind: 'map', entries: new Map(), origin };
}

/** Adds an entry; refuses a key that is there already. `path` is that of the entry, `at` where its key stands. */
export function addEntry(map: MapDraft, key: string, node: Node, path: Path, at: Origin = node.origin): void {
  const first = map.entries.get(key);
  if (first) throw duplicateKey(at, first.origin, path);
  map.entries.set(key, node);
}

/**
 * The map at `path` below `root`, made where it is missing, for formats that write nested maps as dotted names. A value on the way is refused.
 */
export function descend(root: MapDraft, path: Path, origin: Origin): MapDraft {
  let at = root;
  for (const [depth, name] of path.entries()) {
    const found = at.entries.get(name);
    if (found && found.kind !== 'map') {
      throw refusal(origin, `it is a map here and a value in line ${found.origin.line}; rename one of them`, path.slice(0, depth + 1));
    }
    // Every map below a draft was made here.
    const next = (found as MapDraft | undefined) ?? mapDraft(origin);
    at.entries.set(name, next);
    at = next;
  }
  return at;
}
