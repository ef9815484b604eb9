import type { CasStore } from '../../../sinks/cas/cas-store.ts';
import type { Cut } from '../contract/cuts.ts';

/** Every call of the protocol goes through `cut`, and each change of a write that has several by itself: any of them may be the last that arrives. */
export function cutStore(store: CasStore, cut: Cut): CasStore {
  const { transaction, getSteady } = store;
  return {
    get: (...args) => cut(() => store.get(...args)),
    ...(getSteady && { getSteady: (...args) => cut(() => getSteady(...args)) }),
    version: (...args) => cut(() => store.version(...args)),
    write: async (place, changes, signal) => {
      const versions: (string | null)[] = [];
      for (const change of changes) versions.push(...(await cut(() => store.write(place, [change], signal))));
      return versions;
    },
    ...(transaction && { transaction: { fits: (changes) => transaction.fits(changes), commit: (...args) => cut(() => transaction.commit(...args)) } }),
    close: () => store.close(),
  };
}
