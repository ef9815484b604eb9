import { createFingerprint } from '../../clients/fingerprint.ts';
import type { LiveState } from '../../domain/plan.ts';
import type { SinkError } from '../../sinks/errors.ts';
import type { Place, Sink } from '../../sinks/sink.ts';

export const fingerprint = createFingerprint('key');

/** A sink in memory that tells of changes as its test says: values and ledgers by place. */
export interface WatchedSink {
  readonly sink: Sink;
  /** What our own write does: values and ledger in one step, and the word of it. */
  write(place: string, values: Values): void;
  /** What a stranger does. */
  edit(place: string, values: Values): void;
  removeLedger(place: string): void;
  /** As a write that is not atomic leaves the place half-way. */
  begin(place: string): void;
  tell(place: string): void;
  /** Ends every subscription with this error. */
  lose(error: SinkError): void;
  /** Each new subscription ends with it, until it is undefined. */
  refuse(error: SinkError | undefined): void;
  /** Each read fails with it, until it is undefined. */
  breakReads(error: SinkError | undefined): void;
  /** Subscriptions that stand, by the places they have. */
  readonly standing: ReadonlySet<readonly string[]>;
  readonly begun: () => number;
  readonly reads: () => readonly string[];
}

export type Values = Readonly<Record<string, string>>;

export function createWatchedSink(): WatchedSink {
  const states = new Map<string, LiveState>();
  const standing = new Map<readonly string[], { onChange: (place: string) => void; fail: (error: SinkError) => void }>();
  const reads: string[] = [];
  let begun = 0;
  let refusal: SinkError | undefined;
  let readError: SinkError | undefined;
  let generation = 0;

  function stateOf(name: string): LiveState {
    return states.get(name) ?? { exists: false, entries: new Map(), ledger: null, version: '' };
  }

  function put(name: string, change: Partial<LiveState>): void {
    states.set(name, { ...stateOf(name), exists: true, ...change });
  }

  const sink: Sink = {
    read(place) {
      reads.push(place.name);
      return readError ? Promise.reject(readError) : Promise.resolve(stateOf(place.name));
    },
    apply: () => Promise.reject(new Error('not in this test')),
    restore: () => Promise.reject(new Error('not in this test')),
    watch(places, onChange, signal) {
      begun++;
      if (refusal) return Promise.reject(refusal);
      const names = places.map(({ name }) => name);
      const byName = new Map<string, Place>(places.map((place) => [place.name, place]));
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      standing.set(names, { onChange: (name) => byName.has(name) && onChange(byName.get(name) as Place), fail: reject });
      signal.addEventListener('abort', () => resolve(), { once: true });
      for (const place of places) onChange(place);
      return promise.finally(() => standing.delete(names));
    },
    close: () => Promise.resolve(),
  };

  const it: WatchedSink = {
    sink,
    write(name, values) {
      const keys = Object.fromEntries(Object.entries(values).map(([key, text]) => [key, fingerprint(text)]));
      const owner = { tenant: 'acme', rule: 'settings', environment: 'production' };
      const ledger = { version: 1, owner, stream: 'config/main', commit: 'c', generation: ++generation, write: 'w', state: 'committed', keys, at: '' } as const;
      put(name, { entries: new Map(Object.entries(values)), ledger });
      it.tell(name);
    },
    edit(name, values) {
      put(name, { entries: new Map([...stateOf(name).entries, ...Object.entries(values)]) });
      it.tell(name);
    },
    removeLedger(name) {
      put(name, { ledger: null });
      it.tell(name);
    },
    begin(name) {
      const { ledger } = stateOf(name);
      if (ledger) put(name, { ledger: { ...ledger, state: 'intent' } });
      it.tell(name);
    },
    tell(name) {
      for (const { onChange } of standing.values()) onChange(name);
    },
    lose(error) {
      for (const { fail } of standing.values()) fail(error);
    },
    refuse(error) {
      refusal = error;
    },
    breakReads(error) {
      readError = error;
    },
    get standing() {
      return new Set(standing.keys());
    },
    begun: () => begun,
    reads: () => reads,
  };
  return it;
}
