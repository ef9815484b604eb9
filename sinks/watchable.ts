import { SinkError } from './errors.ts';
import type { Place, Sink } from './sink.ts';

/** The contract of `Sink.watch`, but for its end: throws whatever it likes when the signal aborts, and never resolves before. */
export type Watch = (places: readonly Place[], onChange: (place: Place) => void, signal: AbortSignal) => Promise<void>;

/** Gives the sink a watch that ends with the caller's signal, by resolving, and with the sink, by failing. `name` begins the message of that. */
export function watchable(name: string, sink: Sink, watch: Watch): Required<Sink> {
  const closing = new AbortController();
  const running = new Set<Promise<void>>();

  async function run(places: readonly Place[], onChange: (place: Place) => void, signal: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([signal, closing.signal]);
    try {
      if (stop.aborted) return;
      // Nothing is told once the caller has gone.
      if (places.length > 0) await watch(places, (place) => void (stop.aborted || onChange(place)), stop);
      else await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  }

  return {
    ...sink,
    watch: async (places, onChange, signal) => {
      const watching = run(places, onChange, signal);
      running.add(watching);
      await watching.finally(() => running.delete(watching));
      if (!signal.aborted) throw new SinkError('unavailable', `${name}: the sink was closed`);
    },
    close: async () => {
      closing.abort();
      await Promise.allSettled(running);
      await sink.close();
    },
  };
}
