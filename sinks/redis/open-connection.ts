import type { RedisOptions as ClientOptions } from 'ioredis';
import type { ResolveCredential } from '../sink.ts';
import { createClusterConnection } from './cluster.ts';
import { createConnection, type Connection } from './connection.ts';
import { addressOf, clientOptions, loginOptions, nameOf, tlsOf, type Address, type RedisSinkOptions } from './options.ts';
import { primaryOf, primaryOptions } from './sentinel.ts';

export interface Opened {
  readonly connection: Connection;
  /** The servers that take writes now. Throws SinkError. */
  primaries(): Promise<readonly Address[]>;
  /** What a client of its own needs for one of them, with the credentials as they are now. Throws SinkError. */
  optionsOf(primary: Address): Promise<ClientOptions>;
}

/** To a server, to the cluster, or to the primary that sentinels name. Dials nothing yet. */
export function openConnection(options: RedisSinkOptions, resolve: ResolveCredential): Opened {
  const { cluster, sentinel, url = '' } = options;
  if (sentinel) {
    const find = (): Promise<Address> => primaryOf(options, sentinel, resolve);
    const optionsOf = (at: Address): Promise<ClientOptions> => primaryOptions(options, sentinel, at, resolve);
    return { connection: createConnection(async () => optionsOf(await find())), primaries: async () => [await find()], optionsOf };
  }
  if (!cluster) {
    const optionsOf = (): Promise<ClientOptions> => clientOptions(options, resolve);
    return { connection: createConnection(optionsOf), primaries: async () => [addressOf(url)], optionsOf };
  }
  const seeds = cluster.nodes.map((node) => {
    const { host, port } = addressOf(node);
    return `${host}:${port}`;
  });
  const login = { ...options, tls: tlsOf(options, cluster.nodes[0] ?? '') };
  const optionsOf = async (at: Address): Promise<ClientOptions> => ({ ...at, ...(await loginOptions(nameOf(options), login, resolve)) });
  const connection = createClusterConnection(nameOf(options), seeds, (host, port) => createConnection(() => optionsOf({ host, port })));
  return { connection, primaries: () => connection.primaries(), optionsOf };
}
