import type { Problem } from './problem.ts';
import { formatPath, type Node, type Path } from './value.ts';

export const SECRETS_UNAVAILABLE = 'secret references are not available in this version; nothing is written in their place';

/** A problem for each string that holds a secret reference: written literally it would look like a value and be none. */
export function findSecrets(document: Node): Problem[] {
  return [...secretsIn(document, [])];
}

function* secretsIn(node: Node, path: Path): Generator<Problem> {
  switch (node.kind) {
    case 'scalar':
      if (typeof node.value === 'string' && node.value.includes('@secret(')) {
        yield { message: SECRETS_UNAVAILABLE, key: formatPath(path), origin: node.origin };
      }
      return;
    case 'list':
      for (const [index, item] of node.items.entries()) yield* secretsIn(item, [...path, String(index)]);
      return;
    case 'map':
      for (const [key, child] of node.entries) yield* secretsIn(child, [...path, key]);
  }
}
