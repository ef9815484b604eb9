import type { Fingerprint } from './ledger.ts';
import type { LiveState, Ownership, ReadBack } from './plan.ts';

export interface LedgerTerms {
  readonly ownership: Ownership;
  readonly readBack: ReadBack;
  readonly prune: boolean;
  /** Both by sink keys. */
  readonly isProtected: (key: string) => boolean;
  readonly isIgnored: (key: string) => boolean;
}

export type LedgerView =
  /** All that the ledger owns is there as it was written: our own write, or nothing, was what happened. */
  | { readonly kind: 'agrees' }
  /** A write is under way, or was left half-done. */
  | { readonly kind: 'writing' }
  | { readonly kind: 'no-ledger' }
  /** `digest`: one text for all that differs, as it is now; `generation` is that of the ledger that it differs from. */
  | { readonly kind: 'differs'; readonly digest: string; readonly generation: number };

/**
 * Whether a place is as its ledger says, without Git: what a wake-up is worth. It errs to the side of `differs`, as for a key that is kept and not
 * desired any more; the check that follows decides.
 */
export function compareWithLedger(live: LiveState, terms: LedgerTerms, fingerprint: Fingerprint): LedgerView {
  const { ledger, entries, corrupt } = live;
  if (ledger === null) return { kind: 'no-ledger' };
  if (ledger.state === 'intent') return { kind: 'writing' };
  const owned = Object.keys(ledger.keys);
  const isIgnored = (key: string): boolean => corrupt === undefined && terms.isIgnored(key);
  const differing: (readonly [key: string, live: string | null])[] = [];
  for (const key of owned) {
    if (isIgnored(key)) continue;
    const text = entries.get(key);
    const found = text === undefined ? null : text === null ? '?' : fingerprint(text);
    const isUnseen = found === '?' && terms.readBack !== 'readable';
    if (!isUnseen && found !== ledger.keys[key]) differing.push([key, found]);
  }
  if (terms.ownership === 'place' && owned.length > 0 && terms.prune) {
    for (const [key, text] of entries) {
      const isExtra = !Object.hasOwn(ledger.keys, key) && !isIgnored(key) && !terms.isProtected(key);
      if (isExtra) differing.push([key, text === null ? '?' : fingerprint(text)]);
    }
  }
  const isCorrupt = corrupt !== undefined && owned.length > 0;
  if (differing.length === 0 && !isCorrupt) return { kind: 'agrees' };
  const found = differing.toSorted(([a], [b]) => (a < b ? -1 : 1));
  const { generation, write } = ledger;
  return { kind: 'differs', digest: fingerprint(JSON.stringify([generation, write, corrupt ?? null, found])), generation };
}
