import type { Problem } from './problem.ts';
import { mentionsSecret, parseSecretString, type SecretReference, type SecretString } from './secret-reference.ts';
import { formatPath, isMap, originAt, type Node, type Origin, type Path, type Value } from './value.ts';

/** A reference with its manager named, and where it stands: what a refusal of the manager is told with. */
export interface LocatedSecret extends SecretReference {
  readonly manager: string;
  readonly origin: Origin;
  /** Dotted path of the value that it is in. */
  readonly key: string;
}

/** What the strings of a document say of secrets, before the schema is asked. */
export interface FoundSecrets {
  /** Where the strings are that hold a reference. */
  readonly paths: readonly Path[];
  /** The document with the escapes of its other strings undone: what a schema sees. */
  readonly literal: Node;
  readonly problems: readonly Problem[];
}

export function findSecrets(document: Node): FoundSecrets {
  const paths: Path[] = [];
  const parse = createParser();
  const problems: Problem[] = [];

  /** The node itself where nothing of it changes: most documents have no escape. */
  function visit(node: Node, path: Path): Node {
    switch (node.kind) {
      case 'scalar': {
        const parsed = typeof node.value === 'string' ? parse(node.value) : undefined;
        if (!parsed) return node;
        const { parts, problems: found } = parsed;
        for (const { at, message } of found) {
          const where = at === 1 ? '' : `at character ${at} of the text `;
          problems.push({ message: `${where}${message}`, key: formatPath(path), origin: node.origin });
        }
        if (parts.every((part) => typeof part === 'string')) return { ...node, value: parts.join('') };
        paths.push(path);
        return node;
      }
      case 'list': {
        const items = node.items.map((item, index) => visit(item, [...path, String(index)]));
        return items.some((item, index) => item !== node.items[index]) ? { ...node, items } : node;
      }
      case 'map': {
        const entries = new Map(node.entries.entries().map(([key, child]) => [key, visit(child, [...path, key])]));
        return entries.entries().some(([key, child]) => child !== node.entries.get(key)) ? { ...node, entries } : node;
      }
    }
  }

  return { literal: visit(document, []), paths, problems };
}

/** Parses each text once, since a thousand aliases are one; undefined for those that have nothing to do with secrets. */
function createParser(): (text: string) => SecretString | undefined {
  const known = new Map<string, SecretString>();
  return (text) => {
    const found = known.get(text) ?? (mentionsSecret(text) ? parseSecretString(text) : undefined);
    if (found) known.set(text, found);
    return found;
  };
}

/** Where a value of the completed document comes from. */
export type OriginOf = (path: Path) => Origin;

/**
 * Every reference of a document that was completed by its schema, each with the manager that it means. A problem for one that names no manager of the
 * tenant, or none where the tenant has several.
 */
export function locateSecrets(value: Value, managers: readonly string[], originOf: OriginOf): { secrets: LocatedSecret[]; problems: Problem[] } {
  const secrets: LocatedSecret[] = [];
  const parse = createParser();
  const problems: Problem[] = [];

  function visit(child: Value, path: Path): void {
    if (isMap(child)) for (const [key, below] of child) visit(below, [...path, key]);
    else if (Array.isArray(child)) for (const [index, item] of child.entries()) visit(item as Value, [...path, String(index)]);
    else {
      const parsed = typeof child === 'string' ? parse(child) : undefined;
      if (!parsed) return;
      const at = { key: formatPath(path), origin: originOf(path) };
      for (const { message } of parsed.problems) problems.push({ message, ...at });
      for (const part of parsed.parts) {
        if (typeof part === 'string') continue;
        const manager = managerOf(part, managers);
        if (typeof manager === 'object') problems.push({ ...manager, ...at });
        else secrets.push({ ...part, manager, ...at });
      }
    }
  }

  visit(value, []);
  return { secrets, problems };
}

/** The manager that a reference means: the one that it names, or the tenant's only one. */
export function managerOf(reference: SecretReference, managers: readonly string[]): string | { readonly message: string } {
  const [only, ...others] = managers;
  const list = managers.join(', ');
  if (only === undefined) return { message: 'it is a secret reference, and the tenant has no secret manager; add one below secretManagers in the bundle' };
  if (reference.manager === undefined)
    return others.length === 0
      ? only
      : { message: `the secret reference names no manager, and the tenant has several: ${list}; write @secret(manager:path#field)` };
  if (managers.includes(reference.manager)) return reference.manager;
  return { message: `the secret reference names a manager that the tenant does not have; it has: ${list}` };
}

/** The origin of the deepest part that the document has. */
export function originIn(document: Node): OriginOf {
  return (path) => originAt(document, path);
}
