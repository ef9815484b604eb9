import pLimit, { type LimitFunction } from 'p-limit';
import { SinkError } from '../errors.ts';

export type InTurn = <Result>(place: string, signal: AbortSignal, work: () => Promise<Result>) => Promise<Result>;

/** One write of a place at a time, since Helm takes one and does not wait for another, and so many of all places. One that is cancelled waits no more. */
export function createTurns(processes: number): InTurn {
  const runs = pLimit(processes);
  const queues = new Map<string, LimitFunction>();

  return async (place, signal, work) => {
    const queue = queues.get(place) ?? pLimit(1);
    queues.set(place, queue);
    const begun = Promise.withResolvers<void>();
    const onAbort = (): void => begun.reject(new SinkError('unavailable', `${place}: the call was cancelled`));
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const done = queue(() =>
      runs(async () => {
        begun.resolve();
        signal.throwIfAborted();
        return work();
      }),
    );
    done.catch(() => undefined);
    try {
      await begun.promise;
      return await done;
    } finally {
      signal.removeEventListener('abort', onAbort);
      if (queue.activeCount + queue.pendingCount === 0) queues.delete(place);
    }
  };
}
