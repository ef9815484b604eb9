import type { Bundle } from '../domain/bundle.ts';

export interface BundleHolder {
  readonly current: () => Bundle;
  /** Never throws: a bundle that cannot be loaded is refused and the running one kept. */
  reload(): Promise<'reloaded' | 'refused'>;
}

/** Loads the first bundle, without which there is nothing to run: its problems throw. */
export async function createBundleHolder(
  load: () => Promise<Bundle>,
  onReload: (outcome: 'reloaded' | 'refused', error?: unknown) => void,
): Promise<BundleHolder> {
  let bundle = await load();
  // One after the other, so that the file that was read last is the one that stays.
  let last: Promise<unknown> = Promise.resolve();

  async function loadOnce(): Promise<'reloaded' | 'refused'> {
    try {
      bundle = await load();
    } catch (error) {
      onReload('refused', error);
      return 'refused';
    }
    onReload('reloaded');
    return 'reloaded';
  }

  return {
    current: () => bundle,
    reload() {
      const reloaded = last.then(loadOnce);
      last = reloaded;
      return reloaded;
    },
  };
}
