import { formatOrigin, InvalidInput, type Problem } from './problem.ts';
import { formatPath, type MapNode, type Node, type Path } from './value.ts';

/**
 * One document of the files of one glob, which have no order: maps join, and no key may be defined by two of them.
 * Throws InvalidInput with a problem for each such key, naming both places.
 */
export function unite(nodes: readonly MapNode[]): MapNode | undefined {
  const problems: Problem[] = [];
  const united = nodes.reduce<MapNode | undefined>((sum, node) => (sum ? join(sum, node, [], problems) : node), undefined);
  if (problems.length > 0) throw new InvalidInput(problems);
  return united;
}

function join(a: MapNode, b: MapNode, path: Path, problems: Problem[]): MapNode {
  const entries = new Map<string, Node>(a.entries);
  for (const [key, node] of b.entries) {
    const at = [...path, key];
    const first = entries.get(key);
    if (!first) entries.set(key, node);
    else if (first.kind === 'map' && node.kind === 'map') entries.set(key, join(first, node, at, problems));
    else {
      problems.push({
        key: formatPath(at),
        origin: node.origin,
        message: `${formatOrigin(first.origin)} defines it too, and files of one glob have no order; keep one, or list the files by name`,
      });
    }
  }
  return { ...a, entries };
}
