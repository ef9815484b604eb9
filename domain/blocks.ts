import { overlay } from './merge.ts';
import { InvalidInput, type Problem } from './problem.ts';
import { formatPath, type MapNode, type Node, type Path } from './value.ts';

const DEFAULT = 'default';

/**
 * Replaces each environment block, a map whose keys are all declared environments or `default`, by what it says for `environment`: `default`
 * with the environment's own part laid over it. Blocks nest, also in one another and in lists. Throws InvalidInput for a block that has neither
 * part: what another environment has must not leak, and that the key was meant to be absent is not known.
 */
export function resolveBlocks(root: MapNode, environment: string, declared: ReadonlySet<string>): MapNode {
  const problems: Problem[] = [];

  function resolve(node: Node, path: Path): Node {
    if (node.kind === 'scalar') return node;
    if (node.kind === 'list') return { ...node, items: node.items.map((item, index) => resolve(item, [...path, String(index)])) };
    if (isBlock(node, declared)) return resolveBlock(node, path);
    return { ...node, entries: new Map([...node.entries].map(([key, child]) => [key, resolve(child, [...path, key])])) };
  }

  function resolveBlock(block: MapNode, path: Path): Node {
    const [common, own] = [DEFAULT, environment].map((name) => block.entries.get(name)).map((part) => part && resolve(part, path));
    if (common?.kind === 'map' && own?.kind === 'map') return overlay(common, own);
    const chosen = own ?? common;
    if (chosen) return chosen;
    problems.push({
      ...(path.length > 0 && { key: formatPath(path) }),
      origin: block.origin,
      message: `it is a block for each environment and has neither ${environment} nor ${DEFAULT}; add one of them, or set blocks: off in the rule`,
    });
    return block;
  }

  const resolved = resolve(root, []);
  if (problems.length > 0) throw new InvalidInput(problems);
  if (resolved.kind !== 'map')
    throw new InvalidInput([{ origin: resolved.origin, message: `the block of ${environment} is the whole document and must be a map` }]);
  return resolved;
}

function isBlock(node: MapNode, declared: ReadonlySet<string>): boolean {
  return node.entries.size > 0 && node.entries.keys().every((key) => key === DEFAULT || declared.has(key));
}
