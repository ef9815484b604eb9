import { formatOrigin, InvalidInput, type Problem } from './problem.ts';
import { formatPath, type MapNode, type Node, type Path } from './value.ts';

/**
 * One document of the files of one glob, which have no order: maps join, and no key may be defined by two of them.
 * Throws InvalidInput with a problem for each such key, naming both places.
 */
export function unite(nodes: readonly MapNode[]): MapNode | undefined {
  const [first, ...others] = nodes;
  if (!first || others.length === 0) return first;
  const problems: Problem[] = [];
  // Copied once and then filled: a copy for each file would take the square of thousands of files.
  const united = draftOf(first);
  for (const node of others) join(united, node, [], problems);
  if (problems.length > 0) throw new InvalidInput(problems);
  return united;
}

interface Draft extends MapNode {
  readonly entries: Map<string, Node>;
}

function draftOf(node: MapNode): Draft {
  return { ...node, entries: new Map([...node.entries].map(([key, child]) => [key, child.kind === 'map' ? draftOf(child) : child])) };
}

/** Adds `b` to `a`, whose maps were all made here. */
function join(a: Draft, b: MapNode, path: Path, problems: Problem[]): void {
  for (const [key, node] of b.entries) {
    const first = a.entries.get(key);
    if (!first) a.entries.set(key, node.kind === 'map' ? draftOf(node) : node);
    else if (first.kind === 'map' && node.kind === 'map') join(first as Draft, node, [...path, key], problems);
    else {
      problems.push({
        key: formatPath([...path, key]),
        origin: node.origin,
        message: `${formatOrigin(first.origin)} defines it too, and files of one glob have no order; keep one, or list the files by name`,
      });
    }
  }
}
