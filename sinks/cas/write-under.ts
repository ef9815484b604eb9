import type { ItemChange } from './cas-store.ts';
import type { Claim } from './claim.ts';
import type { Site } from './site.ts';

/** What is under way at a time where the store does not say, all of it begun under one proof of the claim. */
const AT_ONCE = 32;

/**
 * Carries the changes out, in their order where the system has transactions: as many in one as it takes, each with a check of the claim. Else some at
 * a time, the claim being proven before each lot.
 */
export async function writeUnder(claim: Claim, site: Site, changes: readonly ItemChange[]): Promise<void> {
  const { store, place, signal } = site;
  const { atOnce = AT_ONCE } = store;
  if (changes.length === 0) return;
  const whole = [claim.check(), ...changes];
  if (store.transaction?.fits(whole)) {
    await store.transaction.commit(place, whole, signal);
  } else if (changes.length > (store.transaction ? 1 : atOnce)) {
    const middle = store.transaction ? Math.ceil(changes.length / 2) : atOnce;
    await writeUnder(claim, site, changes.slice(0, middle));
    await writeUnder(claim, site, changes.slice(middle));
  } else {
    await claim.prove();
    await store.write(place, changes, signal);
  }
}
