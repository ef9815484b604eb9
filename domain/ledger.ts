/** Who owns a target: one rule of one tenant for one environment. */
export interface Owner {
  readonly tenant: string;
  readonly rule: string;
  readonly environment: string;
}

/**
 * What varTrack knows of a target, kept in the sink beside the values. It proves ownership (I4), orders writers (I7: every write is
 * conditional on the ledger it read, and raises `generation`), and tells drift from change.
 */
export interface Ledger {
  readonly version: 1;
  readonly owner: Owner;
  /** The stream that feeds the target, `repository/stream`. */
  readonly stream: string;
  /** Commit whose desired state was written, 40 hex digits. */
  readonly commit: string;
  /** Raised by one with every write, also by a restore; never goes back. */
  readonly generation: number;
  /** Identifies the write that made this ledger; a retry of the same write finds its own mark. */
  readonly write: string;
  /** `intent`: a write that is not atomic has begun and is not known to be complete; `keys` is then the union of before and after. */
  readonly state: 'committed' | 'intent';
  /** Owned sink keys and the keyed fingerprint of the text last written there. */
  readonly keys: Readonly<Record<string, string>>;
  /** When it was written, ISO 8601; for people, no decision reads it. */
  readonly at: string;
}

/** Keyed, truncated hash of a text; the same text gives the same fingerprint under one bundle key. */
export type Fingerprint = (text: string) => string;

export function encodeLedger(ledger: Ledger): string {
  return JSON.stringify(ledger);
}

/** Parses what {@link encodeLedger} wrote. Throws on anything else: a ledger that cannot be read is never taken for an absent one (I3). */
export function decodeLedger(text: string): Ledger {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new TypeError('the ledger is not JSON');
  }
  if (!isLedger(parsed)) throw new TypeError('the ledger has an unknown shape or version');
  return parsed;
}

function isLedger(candidate: unknown): candidate is Ledger {
  if (!isRecord(candidate)) return false;
  const { version, owner, stream, commit, generation, write, state, keys, at } = candidate;
  return (
    version === 1 &&
    isRecord(owner) &&
    [owner['tenant'], owner['rule'], owner['environment'], stream, commit, write, at].every((text) => typeof text === 'string') &&
    Number.isSafeInteger(generation) &&
    (state === 'committed' || state === 'intent') &&
    isRecord(keys) &&
    Object.values(keys).every((fingerprint) => typeof fingerprint === 'string')
  );
}

function isRecord(candidate: unknown): candidate is Record<string, unknown> {
  return typeof candidate === 'object' && candidate !== null && !Array.isArray(candidate);
}

/** The ledger that announces a write which is not atomic: it owns what either outcome would own, so nothing becomes a stranger's half-way. */
export function intentLedger(next: Ledger, before: Ledger | null): Ledger {
  return { ...next, state: 'intent', keys: { ...before?.keys, ...next.keys } };
}

/** The mark that undoing `write` leaves, by which a repeated restore knows that it is done. */
export function undoOf(write: string): string {
  return `undo:${write}`;
}

/** The ledger after `current` was undone: what it replaced, one generation on. A target that had none keeps an empty one as a fence. */
export function restoredLedger(current: Ledger, before: Ledger | null): Ledger {
  const undone = { generation: current.generation + 1, write: undoOf(current.write) };
  return before ? { ...before, ...undone } : { ...current, ...undone, state: 'committed', keys: {} };
}

export type RestoreDecision = 'restore' | 'nothing-to-undo' | 'conflict';

/** What a restore of the write that made `generation` has to do, given the ledger as it stands. */
export function decideRestore(ledger: Ledger | null, generation: number): RestoreDecision {
  if (!ledger || ledger.generation < generation) return 'nothing-to-undo';
  if (ledger.generation === generation) return ledger.write.startsWith('undo:') ? 'conflict' : 'restore';
  return ledger.generation === generation + 1 && ledger.write.startsWith('undo:') ? 'nothing-to-undo' : 'conflict';
}

export function sameOwner(a: Owner, b: Owner): boolean {
  return a.tenant === b.tenant && a.rule === b.rule && a.environment === b.environment;
}

export function formatOwner(owner: Owner): string {
  return `${owner.tenant}/${owner.rule} (${owner.environment})`;
}
