import type { DeleteLimit } from './bundle.ts';
import { formatOwner, sameOwner, type Fingerprint, type Ledger, type Owner } from './ledger.ts';
import type { Path, Value } from './value.ts';

/** `keys`: the place is shared, each key has its owner. `place`: a file or document that has one owner as a whole. */
export type Ownership = 'keys' | 'place';

/** Whether what was written can be read back as text, only compared by fingerprint, or not at all. */
export type ReadBack = 'readable' | 'fingerprint' | 'hidden';

/** One leaf of the flattened desired state. */
export interface DesiredEntry {
  readonly path: Path;
  readonly value: Value;
}

/** An entry as a sink stores it: its key there, and the canonical text that a read will give back. */
export interface RenderedEntry extends DesiredEntry {
  readonly key: string;
  readonly text: string;
}

/** What a fresh read of a place says. */
export interface LiveState {
  /** Whether the place itself is there (a file, a hash, a document); for places that are only a prefix, whether any asked key is. */
  readonly exists: boolean;
  /** Text by sink key; null is a value that is there and cannot be read back. */
  readonly entries: ReadonlyMap<string, string | null>;
  readonly ledger: Ledger | null;
  /** What the next write is conditional on beside the ledger's generation; the driver's own, opaque here. */
  readonly version: string;
  /** Why the content of a place that is owned as a whole could not be parsed; `entries` is then empty, and the place is still not absent. */
  readonly corrupt?: string;
}

/** All that Git says about one target, and who says it. */
export interface Desired {
  readonly entries: readonly RenderedEntry[];
  readonly owner: Owner;
  readonly stream: string;
  readonly commit: string;
  /** Whether a commit after the ledger's touched the inputs of the rule; if so the ledger moves on even when no value did. */
  readonly inputsMoved: boolean;
  /** Identifies this write; see {@link Ledger.write}. */
  readonly write: string;
  /** ISO 8601. */
  readonly at: string;
}

export interface Policy {
  readonly ownership: Ownership;
  readonly readBack: ReadBack;
  readonly prune: boolean;
  /** Tells a dotted path that is never deleted. */
  readonly isProtected: (key: string) => boolean;
  readonly maxDeletes: DeleteLimit | null;
  /** A person allowed this run to delete beyond the limit. */
  readonly deletesAllowed: boolean;
  readonly onExisting: 'refuse' | 'overwrite';
  /** Tells a former owner whose claim lapsed, such as a rule that was renamed. */
  readonly inherits: (owner: Owner) => boolean;
  /**
   * Tells a key that a heal leaves as it is, there or not, and whose drift does not count; absent outside of checks and heals. What is owned of them stays
   * owned. While a place cannot be parsed nothing is ignored: what is to be left as it is cannot be told from the rest.
   */
  readonly isIgnored?: (key: string) => boolean;
}

export type Plan = UnchangedPlan | WritePlan | HeldPlan;

/** The place is as Git says and the ledger says so too: nothing to write. */
export interface UnchangedPlan {
  readonly kind: 'unchanged';
  readonly generation: number;
}

export interface WritePlan {
  readonly kind: 'write';
  /** What was read; the write fails with a conflict where it no longer holds. */
  readonly base: { readonly ledger: Ledger | null; readonly exists: boolean; readonly version: string };
  /** The ledger to write, one generation on. */
  readonly ledger: Ledger;
  /**
   * `keep`: only the ledger moves, and what is at the place stays byte for byte, whatever `entries` says.
   * `remove`: the target is given up. The deletes are carried out (all of a place that is owned as a whole, see {@link removesPlace}), and ledger and undo
   * record go too.
   */
  readonly content: 'write' | 'keep' | 'remove';
  readonly puts: readonly Put[];
  readonly deletes: readonly Delete[];
  /** Keys that had the desired value and no owner: theirs is only the entry in the ledger. */
  readonly adopted: readonly string[];
  /** Keys that are there and stay as they are: those that Git does not have and that are protected or not pruned, and those that are ignored. */
  readonly kept: readonly string[];
  /** The whole desired state (without what is ignored), for sinks that write a place as one document. */
  readonly entries: readonly RenderedEntry[];
}

/**
 * Whether a place that is owned as a whole goes when it is given up. It does not where the ledger owns nothing and only fences: what is there is
 * somebody else's, put back by an undo (I4).
 */
export function removesPlace({ content, base }: WritePlan): boolean {
  return content === 'remove' && Object.keys(base.ledger?.keys ?? {}).length > 0;
}

export interface Put {
  readonly entry: RenderedEntry;
  /** Text before, null if the key was absent, undefined if it was there and could not be read. */
  readonly before: string | null | undefined;
}

export interface Delete {
  readonly key: string;
  readonly before: string | undefined;
}

/** Nothing may be written until a person decides. */
export interface HeldPlan {
  readonly kind: 'held';
  readonly holds: readonly Hold[];
}

export interface Hold {
  readonly reason: 'owned-by-other' | 'not-owned' | 'empty' | 'too-many-deletes';
  /** Sink keys concerned; empty where it is the place as a whole. */
  readonly keys: readonly string[];
  readonly message: string;
}

/**
 * The only diff of the product: what has to change at a place so that every desired key has its value there, keys that are owned and no longer
 * desired are gone, and nothing else is touched (I4).
 */
export function plan(desired: Desired, live: LiveState, policy: Policy, fingerprint: Fingerprint): Plan {
  const ledger = live.ledger;
  // An empty ledger is what a restore to absence leaves: it orders writers and owns nothing.
  const owned = new Set(Object.keys(ledger?.keys ?? {}));
  if (ledger && owned.size > 0 && !sameOwner(ledger.owner, desired.owner) && !policy.inherits(ledger.owner)) {
    return held(ownedByOther(ledger));
  }
  const placeOwned = policy.ownership === 'place' && owned.size > 0;
  const isOwned = (key: string): boolean => placeOwned || owned.has(key);
  const overwrite = policy.onExisting === 'overwrite';
  const isIgnored = (key: string): boolean => live.corrupt === undefined && policy.isIgnored?.(key) === true;
  const entries = desired.entries.filter(({ key }) => !isIgnored(key));

  const puts: Put[] = [];
  const adopted: string[] = [];
  const strangers: string[] = [];
  const wanted = new Set<string>();
  for (const entry of entries) {
    wanted.add(entry.key);
    const before = live.entries.get(entry.key);
    if (before === undefined) puts.push({ entry, before: null });
    else if (isSame(before, entry, ledger, policy.readBack, fingerprint)) {
      if (!owned.has(entry.key)) adopted.push(entry.key);
    } else if (isOwned(entry.key) || overwrite) puts.push({ entry, before: before ?? undefined });
    else strangers.push(entry.key);
  }

  const deletes: Delete[] = [];
  const kept: string[] = [];
  // What our own place holds cannot be seen while it cannot be parsed; it then holds what the ledger says.
  const unseen = placeOwned && live.corrupt !== undefined;
  const surplus = [...(unseen ? owned : live.entries.keys())].filter((key) => !wanted.has(key));
  for (const key of surplus) {
    if (isIgnored(key)) {
      kept.push(key);
      continue;
    }
    const ours = isOwned(key) || (policy.ownership === 'place' && overwrite);
    if (!ours) {
      // A key of somebody else: in a shared place it is simply not ours to see; in a whole place it makes the place a stranger's.
      if (policy.ownership === 'place') strangers.push(key);
    } else if (!policy.prune || policy.isProtected(key)) kept.push(key);
    else deletes.push({ key, before: live.entries.get(key) ?? undefined });
  }

  // A place that we take over or that somebody added to holds more than the ledger knows.
  const present = policy.ownership === 'place' ? Math.max(owned.size, live.entries.size) : owned.size;
  const holds: Hold[] = [];
  const unclaimed = policy.ownership === 'place' && live.exists && !placeOwned && !overwrite;
  if (unclaimed && entries.length > 0 && (strangers.length > 0 || puts.length > 0 || live.corrupt !== undefined)) {
    holds.push({
      reason: 'not-owned',
      keys: [],
      message: `it exists, was not written by varTrack and ${live.corrupt ?? 'has other content'}; remove it, make it equal, or set onExisting: overwrite`,
    });
  } else if (strangers.length > 0 && policy.ownership === 'keys') {
    holds.push({
      reason: 'not-owned',
      keys: strangers,
      message: `${countOf(strangers.length, 'key')} with another value, not written by varTrack: ${someOf(strangers)}; remove what is there, make it equal, or set onExisting: overwrite`,
    });
  }
  if (unseen && kept.length > 0) {
    holds.push({
      reason: 'not-owned',
      keys: kept,
      message: `it ${live.corrupt}, and ${countOf(kept.length, 'key')} that must stay cannot be taken over: ${someOf(kept)}; repair it, or remove it`,
    });
  }
  if (desired.entries.length === 0 && (deletes.length > 0 || unseen)) {
    holds.push({
      reason: 'empty',
      keys: [],
      message: `Git says nothing for it any more, and emptying a target is never automatic: it keeps ${unseen ? 'what it holds' : countOf(deletes.length, 'key')}; remove the destination from the rule, or restore the files`,
    });
  } else if (!policy.deletesAllowed && exceeds(deletes.length, present, policy.maxDeletes)) {
    holds.push({
      reason: 'too-many-deletes',
      keys: deletes.map((each) => each.key),
      message: `${deletes.length} of ${countOf(present, 'key')} would be deleted (${someOf(deletes.map((each) => each.key))}), above limits.deletes: ${formatLimit(policy.maxDeletes)}; run "vartrack sync --allow-deletes" if that is meant`,
    });
  }
  if (holds.length > 0) return held(...holds);

  // Nothing is what Git says, of a place that is not there or not ours: a write would make an empty one of it.
  if (policy.ownership === 'place' && entries.length === 0 && (!live.exists || !placeOwned)) return { kind: 'unchanged', generation: ledger?.generation ?? 0 };
  const changes = puts.length + deletes.length + adopted.length;
  // Keys that somebody else removed and Git does not want: kept in the ledger, they would be ours to delete when a stranger makes them anew.
  const isStale = [...owned].some((key) => !wanted.has(key) && !live.entries.has(key) && !isIgnored(key));
  const isCommitted = ledger === null || (ledger.state === 'committed' && live.corrupt === undefined);
  if (changes === 0 && isCommitted && !isStale) {
    const moves = ledger !== null && (desired.inputsMoved || (owned.size > 0 && !sameOwner(ledger.owner, desired.owner)));
    if (!moves || (ledger.commit === desired.commit && sameOwner(ledger.owner, desired.owner)))
      return { kind: 'unchanged', generation: ledger?.generation ?? 0 };
  }

  const staying = new Set(kept);
  const keptOwned = [...owned].filter((key) => staying.has(key) || isIgnored(key)).map((key) => [key, ledger?.keys[key] ?? ''] as const);
  // Object.fromEntries also defines a key named __proto__; assignment would lose it.
  const keys = Object.fromEntries([...entries.map((entry) => [entry.key, fingerprint(entry.text)] as const), ...keptOwned]);
  return {
    kind: 'write',
    base: { ledger, exists: live.exists, version: live.version },
    ledger: {
      version: 1,
      owner: desired.owner,
      stream: desired.stream,
      commit: desired.commit,
      generation: (ledger?.generation ?? 0) + 1,
      write: desired.write,
      state: 'committed',
      keys,
      at: desired.at,
    },
    content: puts.length > 0 || deletes.length > 0 || ledger?.state === 'intent' ? 'write' : 'keep',
    puts,
    deletes,
    adopted,
    kept,
    entries,
  };
}

/**
 * Gives a target up, as when its pull request was closed: what the ledger owns is deleted, then the ledger itself; nothing else is touched (I4).
 * Protected keys stay where the place is shared, and hold the removal of a place that is owned as a whole.
 */
export function planRemoval(target: Omit<Desired, 'entries' | 'inputsMoved'>, live: LiveState, policy: Policy): Plan {
  const ledger = live.ledger;
  if (!ledger) return { kind: 'unchanged', generation: 0 };
  const owned = Object.keys(ledger.keys);
  if (owned.length > 0 && !sameOwner(ledger.owner, target.owner) && !policy.inherits(ledger.owner)) return held(ownedByOther(ledger));
  const whole = policy.ownership === 'place' && owned.length > 0;
  const present = whole ? [...live.entries.keys()] : owned.filter((key) => live.entries.has(key));
  const kept = present.filter(policy.isProtected);
  if (whole && kept.length > 0) {
    return held({
      reason: 'not-owned',
      keys: kept,
      message: `it would be removed with keys that are protected: ${someOf(kept)}; remove it by hand, or their protection`,
    });
  }
  const { owner, stream, commit, write, at } = target;
  return {
    kind: 'write',
    base: { ledger, exists: live.exists, version: live.version },
    ledger: { version: 1, owner, stream, commit, generation: ledger.generation + 1, write, state: 'committed', keys: {}, at },
    content: 'remove',
    puts: [],
    deletes: present.filter((key) => !kept.includes(key)).map((key) => ({ key, before: live.entries.get(key) ?? undefined })),
    adopted: [],
    kept,
    entries: [],
  };
}

function ownedByOther(ledger: Ledger): Hold {
  const message = `it belongs to ${formatOwner(ledger.owner)} at commit ${ledger.commit.slice(0, 12)}; let one rule write it, or remove the other rule first`;
  return { reason: 'owned-by-other', keys: [], message };
}

/** One text for a whole desired state; equal states have equal digests, whatever the order of their entries. */
export function digestOf(entries: readonly RenderedEntry[], fingerprint: Fingerprint): string {
  const lines = entries.map((entry) => JSON.stringify([entry.key, entry.text]));
  return fingerprint(lines.toSorted().join('\n'));
}

function isSame(before: string | null, entry: RenderedEntry, ledger: Ledger | null, readBack: ReadBack, fingerprint: Fingerprint): boolean {
  if (before !== null) return before === entry.text;
  // What we wrote could be read here, so this is not it: bytes that are no text, a value of another type.
  if (readBack === 'readable') return false;
  // An intent names values that may never have arrived, so it says nothing of one that cannot be read.
  return ledger?.state === 'committed' && ledger.keys[entry.key] === fingerprint(entry.text);
}

function exceeds(deletes: number, owned: number, limit: DeleteLimit | null): boolean {
  if (limit === null) return false;
  return 'count' in limit ? deletes > limit.count : deletes * 100 > owned * limit.percent;
}

function formatLimit(limit: DeleteLimit | null): string {
  if (limit === null) return 'none';
  return 'count' in limit ? String(limit.count) : `${limit.percent}%`;
}

function held(...holds: Hold[]): HeldPlan {
  return { kind: 'held', holds };
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** The first names of a long list, and how many more there are. */
export function someOf(names: readonly string[], shown = 5): string {
  const rest = names.length - shown;
  return names.slice(0, shown).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}
