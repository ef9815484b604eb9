import type { Bundle, SinkConnection } from '../domain/bundle.ts';
import type { CircuitPolicy } from '../domain/circuit-breaker.ts';
import { SinkError } from '../sinks/errors.ts';
import type { ResolveCredential, Sink, SinkDefinition } from '../sinks/sink.ts';
import { guardSink, type SinkName, type SinkObserver } from './guard-sink.ts';
import { createSinkLink, type SinkLink } from './sink-link.ts';

/** Connections, one for each sink of each tenant, shared by all runs of the process; each behind a bulkhead and a circuit breaker of its own. */
export interface SinkPool {
  /** The sink connects on first use, and again when it was idle for a while. */
  get(bundle: Bundle, tenant: string, sink: string): Promise<Sink>;
  /** Drops a connection, so that the next use reads its credentials again. */
  drop(tenant: string, sink: string): void;
  close(): Promise<void>;
}

export interface SinkPoolOptions {
  readonly observer?: SinkObserver;
  readonly circuit?: CircuitPolicy;
  readonly patienceMs?: number;
  readonly now?: () => number;
}

/** What the bundle says nothing of. */
export const DEFAULT_CONCURRENCY = 16;
export const DEFAULT_IDLE_MS = 10 * 60_000;

/** Five failures are more than the retries of one write need to get over a moment; the waits stay below those of an undo (30 s). */
export const CIRCUIT_POLICY: CircuitPolicy = { failures: 5, waitMs: 5_000, longestWaitMs: 30_000, probeMs: 60_000 };

/** Long enough for the slow calls of a healthy sink to come to an end, short beside what a hung one would hold up. */
export const PATIENCE_MS = 2_000;

interface Entry {
  /** Tells a connection that a reload of the bundle has outdated. */
  readonly options: string;
  readonly link: SinkLink;
  readonly sink: Sink;
}

export function createSinkPool(
  definitions: Readonly<Record<string, SinkDefinition>>,
  resolve: ResolveCredential,
  { observer, circuit = CIRCUIT_POLICY, patienceMs = PATIENCE_MS, now = Date.now }: SinkPoolOptions = {},
): SinkPool {
  const entries = new Map<string, Entry>();
  /** Links of before a reload that somebody is still working with. */
  const outdated = new Set<SinkLink>();
  let closed = false;

  function make(name: SinkName, connection: SinkConnection, definition: SinkDefinition): Entry {
    const { concurrency = DEFAULT_CONCURRENCY, idleMs = DEFAULT_IDLE_MS } = connection;
    const connect = async (): Promise<Sink> => {
      if (closed) throw new SinkError('unavailable', 'the worker closes its connections');
      if (entries.get(keyOf(name.tenant, name.sink))?.link !== link) outdated.add(link);
      // A connection that was dropped because its credentials were refused must not get the same again out of a memory.
      const notBefore = Date.now();
      return definition.connect(connection.options, async (reference) => resolve(reference, { notBefore }));
    };
    const link = createSinkLink(connect, idleMs);
    const guarded = guardSink(name, link, { concurrency, patienceMs, circuit, now, ...(observer && { observer }) });
    const sink: Sink = { ...guarded, close: () => link.close() };
    // A watch is no call: it lasts, and it takes no place among those that do not.
    if (definition.notifies) sink.watch = (places, onChange, signal) => link.use(async (open) => open.watch?.(places, onChange, signal));
    return { options: JSON.stringify(connection), link, sink };
  }

  return {
    get(bundle, tenant, name) {
      const connection = bundle.tenants[tenant]?.sinks[name];
      const definition = connection && definitions[connection.kind];
      if (!definition) return Promise.reject(new SinkError('unsupported', `tenant ${tenant} has no sink ${name} in the bundle`));
      const key = keyOf(tenant, name);
      const entry = entries.get(key);
      if (entry?.options === JSON.stringify(connection)) return Promise.resolve(entry.sink);
      if (entry) {
        entry.link.retire();
        for (const link of outdated) if (!link.isOpen()) outdated.delete(link);
        outdated.add(entry.link);
      }
      const made = make({ tenant, sink: name, kind: connection.kind }, connection, definition);
      entries.set(key, made);
      return Promise.resolve(made.sink);
    },
    drop: (tenant, name) => entries.get(keyOf(tenant, name))?.link.renew(),
    async close() {
      closed = true;
      const links = [...outdated, ...[...entries.values()].map(({ link }) => link)];
      outdated.clear();
      entries.clear();
      await Promise.all(links.map((link) => link.close()));
    },
  };
}

function keyOf(tenant: string, sink: string): string {
  return `${tenant}/${sink}`;
}
