import type { Bundle } from '../domain/bundle.ts';
import { SinkError } from '../sinks/errors.ts';
import type { ResolveCredential, Sink, SinkDefinition } from '../sinks/sink.ts';

/** Open connections, one for each sink of each tenant, shared by all runs of the process. */
export interface SinkPool {
  /** Connects on first use. */
  get(bundle: Bundle, tenant: string, sink: string): Promise<Sink>;
  /** Drops a connection, so that the next use reads its credentials again. */
  drop(tenant: string, sink: string): void;
  close(): Promise<void>;
}

export function createSinkPool(definitions: Readonly<Record<string, SinkDefinition>>, resolve: ResolveCredential): SinkPool {
  /** By tenant and sink name; `options` tells a connection that a reload of the bundle has outdated. */
  const open = new Map<string, { readonly options: string; readonly sink: Promise<Sink> }>();

  function drop(key: string): void {
    const entry = open.get(key);
    open.delete(key);
    // A connection that never came about has told its users; closing one is best effort.
    entry?.sink.then((sink) => sink.close()).catch(() => undefined);
  }

  return {
    get(bundle, tenant, name) {
      const connection = bundle.tenants[tenant]?.sinks[name];
      const definition = connection && definitions[connection.kind];
      if (!definition) return Promise.reject(new SinkError('unsupported', `tenant ${tenant} has no sink ${name} in the bundle`));
      const key = keyOf(tenant, name);
      const options = JSON.stringify([connection.kind, connection.options]);
      const entry = open.get(key);
      if (entry?.options === options) return entry.sink;
      drop(key);
      const sink = definition.connect(connection.options, resolve);
      open.set(key, { options, sink });
      sink.catch(() => {
        if (open.get(key)?.sink === sink) open.delete(key);
      });
      return sink;
    },
    drop: (tenant, name) => drop(keyOf(tenant, name)),
    async close() {
      const sinks = [...open.values()];
      open.clear();
      await Promise.allSettled(sinks.map(async (entry) => (await entry.sink).close()));
    },
  };
}

function keyOf(tenant: string, sink: string): string {
  return `${tenant}/${sink}`;
}
