/** Lets callers who want the same thing wait for one piece of work. */
export interface SharedWork<T> {
  /**
   * Joins the work for `key` that has not started yet, or begins one. Work that runs already is not joined: what it is about to answer may be older
   * than this caller's question. The work is aborted when every caller has gone.
   */
  join(key: string, signal: AbortSignal, work: (signal: AbortSignal, started: () => void) => Promise<T>): Promise<T>;
}

interface Pending<T> {
  readonly controller: AbortController;
  readonly result: Promise<T>;
  waiting: number;
}

export function createSharedWork<T>(): SharedWork<T> {
  const open = new Map<string, Pending<T>>();

  function begin(key: string, work: (signal: AbortSignal, started: () => void) => Promise<T>): Pending<T> {
    const controller = new AbortController();
    const leave = (): void => {
      if (open.get(key) === pending) open.delete(key);
    };
    // Deferred, so that `pending` stands before the work can say that it started.
    const result = Promise.resolve().then(() => work(controller.signal, leave));
    const pending: Pending<T> = { controller, result: result.finally(leave), waiting: 0 };
    pending.result.catch(() => undefined);
    open.set(key, pending);
    return pending;
  }

  return {
    join: (key, signal, work) => {
      if (signal.aborted) return Promise.reject(signal.reason);
      const pending = open.get(key) ?? begin(key, work);
      pending.waiting++;
      return new Promise((resolve, reject) => {
        const leave = (): void => {
          reject(signal.reason);
          pending.waiting--;
          if (pending.waiting > 0) return;
          if (open.get(key) === pending) open.delete(key);
          pending.controller.abort(signal.reason);
        };
        signal.addEventListener('abort', leave, { once: true });
        pending.result.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
      });
    },
  };
}
