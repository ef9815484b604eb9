import { SinkError } from '../errors.ts';
import type { ItemChange } from './cas-store.ts';
import type { LedgerItem } from './ledger-item.ts';
import { ledgerContent, where, type Site } from './site.ts';

/** The ledger's item as a lock: who replaced the one that was read may write, until somebody replaces it again. */
export interface Claim {
  /** Null while there is no ledger. */
  version(): string | null;
  /** The condition that the claim still holds, for a transaction of others. */
  check(): ItemChange;
  /**
   * Throws `conflict` if the ledger is no longer the one that was read or written last. The checks are looked at in the same step where the system
   * can.
   */
  write(content: LedgerItem, checks?: readonly ItemChange[]): Promise<void>;
  /** Asks whether the claim still holds, if that is not known from a moment ago; throws `conflict` if it does not. */
  prove(): Promise<void>;
}

// A process that was stopped for longer may have been taken for dead.
const TRUSTED_FOR_MS = 5_000;

export function createClaim(site: Site, seen: string | null): Claim {
  const { store, place, signal } = site;
  const name = site.layout.ledger;
  let version = seen;
  let knownAt = Date.now();

  return {
    version: () => version,
    check: () => ({ action: 'check', name, expected: version }),
    write: async (content, checks = []) => {
      const put = { action: 'put', name, expected: version, ...ledgerContent(site, content) } satisfies ItemChange;
      const startedAt = Date.now();
      const whole = [put, ...checks];
      const [written = null] = store.transaction?.fits(whole) ? await store.transaction.commit(place, whole, signal) : await store.write(place, [put], signal);
      version = written;
      knownAt = startedAt;
    },
    prove: async () => {
      if (Date.now() - knownAt < TRUSTED_FOR_MS) return;
      const askedAt = Date.now();
      if ((await store.version(place, name, signal)) !== version) throw new SinkError('conflict', `${where(site)}: somebody else took the write over`);
      knownAt = askedAt;
    },
  };
}
