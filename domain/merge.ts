import type { MapNode, Node } from './value.ts';

/**
 * The document `base` with `top` laid over it: maps merge at any depth, everything else (lists too) is replaced, `null` in `top` removes the key.
 * Keys keep the place that they have in `base`; values keep the origin of the file they come from.
 */
export function overlay(base: MapNode, top: MapNode): MapNode {
  const entries = new Map(base.entries);
  for (const [key, above] of top.entries) {
    const below = entries.get(key);
    if (isNull(above)) entries.delete(key);
    else if (above.kind !== 'map') entries.set(key, above);
    // Laid over nothing, so that what removes nothing is not left over as a value.
    else entries.set(key, overlay(below?.kind === 'map' ? below : emptyLike(above), above));
  }
  return { kind: 'map', entries, origin: top.origin };
}

function emptyLike(node: MapNode): MapNode {
  return { ...node, entries: new Map() };
}

function isNull(node: Node): boolean {
  return node.kind === 'scalar' && node.value === null;
}
