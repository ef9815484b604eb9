import type { ResolveCredential } from '../sink.ts';
import { createClusterConnection } from './cluster.ts';
import { createConnection, type Connection } from './connection.ts';
import { addressOf, clientOptions, loginOptions, nameOf, tlsOf, type RedisSinkOptions } from './options.ts';
import { primaryOptions } from './sentinel.ts';

/** To a server, to the cluster, or to the primary that sentinels name. Dials nothing yet. */
export function openConnection(options: RedisSinkOptions, resolve: ResolveCredential): Connection {
  const { cluster, sentinel } = options;
  if (sentinel) return createConnection(() => primaryOptions(options, sentinel, resolve));
  if (!cluster) return createConnection(() => clientOptions(options, resolve));
  const seeds = cluster.nodes.map((url) => {
    const { host, port } = addressOf(url);
    return `${host}:${port}`;
  });
  const login = { ...options, tls: tlsOf(options, cluster.nodes[0] ?? '') };
  return createClusterConnection(nameOf(options), seeds, (host, port) =>
    createConnection(async () => ({ host, port, ...(await loginOptions(nameOf(options), login, resolve)) })),
  );
}
