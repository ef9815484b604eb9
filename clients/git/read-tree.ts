import type { TreeEntry } from '../git.ts';
import type { FoundObject } from './host-protocol.ts';
import type { Mirror } from './mirror.ts';

/** One line of a tree object. */
export interface NamedObject {
  readonly name: string;
  readonly mode: string;
  readonly object: string;
}

/** Trees that were read before, by their names; what an object holds never changes. */
export interface TreeMemory {
  get(object: string): readonly NamedObject[] | undefined;
  set(object: string, entries: readonly NamedObject[]): void;
}

const DIRECTORY = '040000';
const MAX_COMMIT_BYTES = 1 << 20;
const MAX_DEPTH = 100;

/** Every entry below the commit that is not a directory, in Git's order; null where that cannot be told for certain or would be more than `maxEntries`. */
export async function readTree(
  mirror: Mirror,
  commit: string,
  maxEntries: number,
  memory: TreeMemory,
  signal: AbortSignal | undefined,
): Promise<readonly TreeEntry[] | null> {
  const root = rootOf((await mirror.objects([commit], MAX_COMMIT_BYTES, signal))?.[0]);
  if (root === null) return null;
  const trees = await treesBelow(mirror, root, maxEntries, memory, signal);
  return trees && listed(trees, root, maxEntries);
}

function rootOf(commit: FoundObject | undefined): string | null {
  if (commit?.type !== 'commit') return null;
  return /^tree ([0-9a-f]{40})\n/.exec(Buffer.from(commit.content.subarray(0, 64)).toString('latin1'))?.[1] ?? null;
}

/** Level by level, each with one question for all trees that are not known yet. */
async function treesBelow(
  mirror: Mirror,
  root: string,
  maxEntries: number,
  memory: TreeMemory,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, readonly NamedObject[]> | null> {
  const trees = new Map<string, readonly NamedObject[]>();
  let level = [root];
  let entries = 0;
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return null;
    const unknown = level.filter((tree) => memory.get(tree) === undefined);
    const found = await mirror.objects(unknown, maxEntries * 64, signal);
    if (!found) return null;
    for (const { name, type, content } of found) {
      const parsed = type === 'tree' ? parseTree(content) : null;
      if (!parsed) return null;
      memory.set(name, parsed);
      trees.set(name, parsed);
    }
    const next = new Set<string>();
    for (const tree of level) {
      const known = trees.get(tree) ?? memory.get(tree);
      if (!known) return null;
      trees.set(tree, known);
      entries += known.length;
      for (const { mode, object } of known) if (mode === DIRECTORY && !trees.has(object)) next.add(object);
    }
    if (entries > 2 * maxEntries) return null;
    level = [...next];
  }
  return trees;
}

/** `<mode> <name>\0<20 bytes of the object's name>`, again and again. */
function parseTree(content: Uint8Array): readonly NamedObject[] | null {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const entries: NamedObject[] = [];
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at);
    const zero = bytes.indexOf(0, at);
    if (space === -1 || zero <= space + 1 || zero + 21 > bytes.length) return null;
    const mode = bytes.toString('latin1', at, space).padStart(6, '0');
    if (!/^[0-7]{6}$/.test(mode)) return null;
    entries.push({ mode, name: bytes.toString('utf8', space + 1, zero), object: bytes.toString('hex', zero + 1, zero + 21) });
    at = zero + 21;
  }
  return entries;
}

/** Null if there are more than `maxEntries`, which a few trees within each other are enough for. */
function listed(trees: ReadonlyMap<string, readonly NamedObject[]>, root: string, maxEntries: number): readonly TreeEntry[] | null {
  const entries: TreeEntry[] = [];
  let visited = 0;
  const walk = (tree: string, folder: string, depth: number): boolean => {
    if (depth > MAX_DEPTH || ++visited > 2 * maxEntries) return false;
    for (const { name, mode, object } of trees.get(tree) ?? []) {
      const path = `${folder}${name}`;
      if (mode === DIRECTORY) {
        if (!walk(object, `${path}/`, depth + 1)) return false;
      } else {
        if (entries.length >= maxEntries) return false;
        entries.push({ path, kind: kindOf(mode), mode, object });
      }
    }
    return true;
  };
  return walk(root, '', 0) ? entries : null;
}

export function kindOf(mode: string): TreeEntry['kind'] {
  if (mode === '160000') return 'submodule';
  return mode === '120000' ? 'symlink' : 'file';
}
