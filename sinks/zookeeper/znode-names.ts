import type { Place } from '../sink.ts';

const LEDGER = '.vartrack';

/**
 * Where the ledger of a place is, chroot not included; the undo record is its child. Of a tree it is a child of the root, of a document a sibling:
 * a znode with children could not be deleted when its write is undone.
 */
export function ledgerPath({ name, layout }: Pick<Place, 'name' | 'layout'>): string {
  return layout === 'tree' ? `${name}/${LEDGER}` : name + LEDGER;
}

export function undoPath(place: Pick<Place, 'name' | 'layout'>): string {
  return `${ledgerPath(place)}/undo`;
}

/** The znode that all of a place is below: the root of a tree, the parent of a document; empty for `/`. */
export function baseOf({ name, layout }: Pick<Place, 'name' | 'layout'>): string {
  return layout === 'tree' ? name : name.slice(0, name.lastIndexOf('/'));
}

/** Whether the path is of a ledger or an undo record. */
export function isOwn(path: string): boolean {
  return path.endsWith(LEDGER) || isUndo(path);
}

export function isUndo(path: string): boolean {
  return path.endsWith(`${LEDGER}/undo`);
}

/** `path` and what is above it, from the top. */
export function pathsTo(path: string): readonly string[] {
  const steps = path.split('/').slice(1);
  return path === '' ? [] : steps.map((_, index) => `/${steps.slice(0, index + 1).join('/')}`);
}

/**
 * The child of a tree for a sink key. Dots stay: with a znode for each of their steps, a key could not be deleted before those below it, and the
 * znodes between would belong to nobody. What ZooKeeper refuses in a name is percent-encoded.
 */
export function childName(key: string): string {
  return key.replaceAll(ESCAPED, (found) => [...Buffer.from(found)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''));
}

// Control characters, and what Java's char has in or after the surrogates: the client and the server of ZooKeeper refuse them.
const ESCAPED = /[%/\u0000-\u001f\u007f-\u009f\ue000-\uf8ff\ufff0-\uffff\u{10000}-\u{10ffff}]/gu;

/** Keys whose znode a ledger may need. */
export function isReservedKey(key: string): boolean {
  return key.endsWith(LEDGER);
}

/** What is wrong with an absolute path of a znode, or null. */
export function pathProblem(path: string): string | null {
  if (!path.startsWith('/') || path === '/') return 'has to be the absolute path of a znode, such as /acme/production';
  const steps = path.slice(1).split('/');
  if (steps.some((step) => ['', '.', '..'].includes(step))) return 'has an empty step, . or .. in its path, or ends in /';
  if (!path.isWellFormed() || path.replaceAll(/[%/]/g, '').search(ESCAPED) !== -1) return 'has a character that ZooKeeper does not take in a path';
  if (steps[0] === 'zookeeper') return 'is below /zookeeper, which ZooKeeper has for itself';
  if (steps.some((step) => step.endsWith(LEDGER))) return 'has a step that ends in .vartrack, which is where ledgers live';
  return null;
}
