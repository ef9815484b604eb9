/** Lets so many calls go at the same time, so that one sink that hangs does not hold everything that a worker has. */
export interface Bulkhead {
  /**
   * Runs `act` as soon as there is room. Waits in order for as long as calls come to an end; where all of them hang, it throws instead of waiting with
   * them, as it does when `signal` aborts.
   */
  run<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T>;
}

export interface BulkheadOptions {
  readonly slots: number;
  /** How long all calls may hang until nobody waits for them any more. */
  readonly patienceMs: number;
  /** The error for who is sent away. */
  readonly refuse: (why: 'stuck' | 'aborted') => Error;
}

interface Waiter {
  readonly go: () => void;
  readonly sendAway: (why: 'stuck' | 'aborted') => void;
}

export function createBulkhead({ slots, patienceMs, refuse }: BulkheadOptions): Bulkhead {
  const waiting = new Set<Waiter>();
  let running = 0;
  /** When a call began or ended last: with all slots taken, how long they have hung. */
  let movedAt = 0;
  let timer: NodeJS.Timeout | undefined;

  function enter(): void {
    running++;
    movedAt = performance.now();
  }

  function leave(): void {
    running--;
    movedAt = performance.now();
    const [next] = waiting;
    if (!next) return;
    waiting.delete(next);
    enter();
    next.go();
  }

  function lookForStuck(): void {
    const left = waiting.size === 0 ? 0 : movedAt + patienceMs - performance.now();
    timer = left > 0 ? setTimeout(lookForStuck, left) : undefined;
    // After a pause of the whole process, answers that came meanwhile are heard first.
    if (!timer) setImmediate(sendAwayIfStuck);
  }

  function sendAwayIfStuck(): void {
    if (waiting.size === 0 || timer) return;
    if (movedAt + patienceMs > performance.now()) return lookForStuck();
    for (const waiter of waiting) waiter.sendAway('stuck');
    waiting.clear();
  }

  async function room(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw refuse('aborted');
    if (running < slots) return enter();
    if (performance.now() - movedAt >= patienceMs) throw refuse('stuck');
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { go: resolve, sendAway: (why) => reject(refuse(why)) };
    const onAbort = (): void => {
      if (waiting.delete(waiter)) waiter.sendAway('aborted');
    };
    waiting.add(waiter);
    timer ??= setTimeout(lookForStuck, patienceMs);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  return {
    async run(signal, act) {
      await room(signal);
      try {
        return await act();
      } finally {
        leave();
      }
    },
  };
}
