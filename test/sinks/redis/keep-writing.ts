import { expect, onTestFinished } from 'vitest';
import type { SinkError } from '../../../sinks/errors.ts';
import type { Place, Sink } from '../../../sinks/sink.ts';
import { contextFor, fingerprint } from '../contract/scenario.ts';
import { sync } from './sync.ts';

export interface Writers {
  /** How many writes were begun. */
  written(): number;
  /** Reasons of those that failed. */
  readonly failures: readonly string[];
  /** Ends the writing, and proves that no place has values that its ledger does not know, and that the last write of each can be undone. */
  stopConsistent(): Promise<void>;
}

/** Writes to every place, one write after the other each, while the test takes servers away. */
export function keepWriting(sink: Sink, places: readonly Place[]): Writers {
  let written = 0;
  const failures: string[] = [];
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const writers = places.map(async (each) => {
    while (!stop.signal.aborted) {
      try {
        await sync(sink, each, { host: `db${++written}`, port: written });
      } catch (error) {
        failures.push((error as SinkError).reason ?? String(error));
        // A refusal can come without a turn of the event loop, and the loop has to hear that the socket is gone.
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  });
  return {
    written: () => written,
    failures,
    async stopConsistent() {
      stop.abort();
      await Promise.all(writers);
      // A conflict is a retry's: the write before may have been done, and lost its answer.
      expect(failures.filter((reason) => reason !== 'unavailable' && reason !== 'conflict')).toEqual([]);
      for (const each of places) {
        const live = await sink.read(each, { ...contextFor([]), keys: ['host', 'port'] });
        const found = Object.fromEntries([...live.entries].map(([key, text]) => [key, text === null ? null : fingerprint(text)]));
        expect(found).toEqual(live.ledger?.keys ?? {});
        expect(await sink.restore(each, live.ledger?.generation ?? 0, contextFor([]))).toMatchObject({ generation: (live.ledger?.generation ?? 0) + 1 });
      }
    },
  };
}
