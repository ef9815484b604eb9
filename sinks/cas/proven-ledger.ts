import type { Ledger } from '../../domain/ledger.ts';
import type { Item } from './cas-store.ts';
import type { LedgerItem } from './ledger-item.ts';
import { standingOf, type UndoRecord } from './undo-record.ts';

/**
 * The ledger as a plan may rely on it. That of a write which did not end names keys that it wanted; one that it did not own before is ours only if
 * what is there is what the write put there. The same goes for an undo, and what it puts back. `live` gives what is there for a sink key, and under which
 * name.
 */
export function provenLedger(
  { ledger, before }: LedgerItem,
  record: UndoRecord | null,
  live: (key: string) => { readonly name: string; readonly item: Item | null },
): Ledger {
  if (before?.work === undefined) return ledger;
  const changes = new Map(record?.origin === before.origin ? record.changes.map((change) => [change.name, change]) : []);
  const regained = new Set(before.regained);
  const isProven = (key: string): boolean => {
    const isRegained = regained.has(key);
    if (!isRegained && before.ledger && Object.hasOwn(before.ledger.keys, key)) return true;
    const { name, item } = live(key);
    const change = changes.get(name);
    if (item === null || change === undefined) return item === null;
    const standing = standingOf(change, item);
    // What was there before the write that is undone was ours; before a write of ours it was not.
    return standing === 'ours' || (isRegained && standing === 'as-before');
  };
  return { ...ledger, keys: Object.fromEntries(Object.entries(ledger.keys).filter(([key]) => isProven(key))) };
}
