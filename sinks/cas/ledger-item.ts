import { decodeLedger, encodeLedger, type Ledger } from '../../domain/ledger.ts';

/**
 * The ledger as its item holds it. While a write is going on, and after one that moved nothing but the ledger, it also says what was before:
 * one request then both claims the place and keeps what an undo needs.
 */
export interface LedgerItem {
  readonly ledger: Ledger;
  readonly before?: Before;
}

export interface Before {
  readonly ledger: Ledger | null;
  /** One for a write and all that take it over before it ended; an undo record with another one is from another time. */
  readonly origin: string;
  /** Different for every attempt, so that no attempt can go on after the next has begun: in S3, equal bodies have equal ETags. */
  readonly claim: string;
  /** What is going on: a write, which its own retry may go on with, or an undo, which no write may. Absent where all is done. */
  readonly work?: 'write' | 'undo';
  /**
   * Of an undo: keys of `ledger` that nobody owned when it began, as the write that is undone had deleted them. It found them free, but a stranger may have
   * made one between that look and the claim.
   */
  readonly regained?: readonly string[];
}

export function encodeLedgerItem({ ledger, before }: LedgerItem): Buffer {
  if (!before) return Buffer.from(encodeLedger(ledger));
  return Buffer.from(JSON.stringify({ ...ledger, before }));
}

/** Throws TypeError on what is not such an item. */
export function decodeLedgerItem(body: Uint8Array): LedgerItem {
  const decoded = decodeLedger(Buffer.from(body).toString('utf8')) as Ledger & { readonly before?: unknown };
  const { before, ...ledger } = decoded;
  if (before === undefined) {
    if (ledger.state === 'intent') throw new TypeError('an unfinished write that does not say what was before it');
    return { ledger };
  }
  return { ledger, before: beforeOf(before) };
}

function beforeOf(given: unknown): Before {
  const { ledger, origin, claim, work, regained } = (given ?? {}) as Record<string, unknown>;
  if (typeof origin !== 'string' || typeof claim !== 'string' || !(work === undefined || work === 'write' || work === 'undo'))
    throw new TypeError('what was before the write is damaged');
  if (regained !== undefined && !(Array.isArray(regained) && regained.every((key) => typeof key === 'string')))
    throw new TypeError('what was before the write is damaged');
  return {
    ledger: ledger === null ? null : decodeLedger(JSON.stringify(ledger)),
    origin,
    claim,
    ...(work === undefined ? {} : { work }),
    ...(regained === undefined ? {} : { regained }),
  };
}
