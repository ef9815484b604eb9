import type { Mirror } from './mirror.ts';

/** A commit that a fetch brought, and the ref that it came with. */
export interface Arrival {
  readonly mirror: Mirror;
  readonly commit: string;
  readonly ref: string;
}

/**
 * Gives commits the refs that keep them for good, named after the commit, and removes those that they came with. Until then the ref of the fetch
 * keeps a commit as well, also if this process dies, so nobody has to wait for it.
 */
export interface Keeping {
  keep(arrival: Arrival): void;
  /** Does now what is left to do. */
  close(): Promise<void>;
}

// Pushes come in bursts; one git process then serves them all.
const DELAY_MS = 1_000;

/** @param enqueue runs what changes a mirror when it is its turn */
export function createKeeping(enqueue: (mirror: Mirror, act: () => Promise<void>) => Promise<void>): Keeping {
  const arrivals = new Map<string, Arrival[]>();
  const working = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    timer = undefined;
    for (const [directory, arrived] of arrivals) {
      arrivals.delete(directory);
      const [first] = arrived;
      if (!first) continue;
      const work = enqueue(first.mirror, () => settle(first.mirror, arrived))
        // Their own refs keep them still; a mirror that was dropped has nothing to keep.
        .catch(() => undefined)
        .finally(() => working.delete(work));
      working.add(work);
    }
  }

  return {
    keep: (arrival) => {
      const waiting = arrivals.get(arrival.mirror.directory) ?? [];
      arrivals.set(arrival.mirror.directory, [...waiting, arrival]);
      timer ??= setTimeout(flush, DELAY_MS).unref();
    },
    close: async () => {
      clearTimeout(timer);
      flush();
      await Promise.all(working);
    },
  };
}

async function settle(mirror: Mirror, arrivals: readonly Arrival[]): Promise<void> {
  const commits = new Set(arrivals.map(({ commit }) => commit));
  const lines = [...[...commits].map((commit) => `update refs/vartrack/commits/${commit} ${commit}\n`), ...arrivals.map(({ ref }) => `delete ${ref}\n`)];
  await mirror.git(['update-ref', '--stdin'], { signal: undefined, input: lines.join('') });
}
