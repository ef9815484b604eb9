import type { RedisOptions as ClientOptions } from 'ioredis';
import { SinkError } from '../errors.ts';
import type { ResolveCredential } from '../sink.ts';
import { createConnection } from './connection.ts';
import { addressOf, loginOptions, nameOf, tlsOf, type Address, type RedisSinkOptions, type Sentinel } from './options.ts';

/** The server that the sentinels call primary now. One that was cut off may name an old one. Throws SinkError. */
export async function primaryOf(options: RedisSinkOptions, sentinel: Sentinel, resolve: ResolveCredential): Promise<Address> {
  const { username, password, tls } = sentinel;
  return findPrimary(nameOf(options), { ...options, ...sentinel, username, password, tls }, resolve);
}

/** What the client needs for that server; asked for its role, it says itself whether it is one. */
export async function primaryOptions(options: RedisSinkOptions, sentinel: Sentinel, at: Address, resolve: ResolveCredential): Promise<ClientOptions> {
  return { ...at, db: sentinel.database, role: 'master', ...(await loginOptions(nameOf(options), options, resolve)) };
}

type Timeouts = Pick<RedisSinkOptions, 'connectTimeout' | 'commandTimeout'>;

/** Asks one sentinel after the other. Throws what the one said that has a reason to be told. */
async function findPrimary(name: string, sentinel: Sentinel & Timeouts, resolve: ResolveCredential): Promise<Address> {
  const failures: SinkError[] = [];
  for (const url of sentinel.nodes) {
    const label = `${name}: sentinel ${url}`;
    const { host, port } = addressOf(url, 26_379);
    const login = { ...sentinel, tls: tlsOf(sentinel, url) };
    const connection = createConnection(async () => ({ host, port, ...(await loginOptions(label, login, resolve)) }));
    try {
      const reply = await connection.command(label, ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', sentinel.name], new AbortController().signal);
      if (Array.isArray(reply)) return { host: String(reply[0]), port: Number(reply[1]) };
      failures.push(new SinkError('rejected', `${label}: it knows no primary of the name ${sentinel.name}`));
    } catch (error) {
      if (!(error instanceof SinkError)) throw error;
      failures.push(error);
    } finally {
      await connection.close();
    }
  }
  throw failures.find(({ reason }) => reason !== 'unavailable') ?? failures[0] ?? new SinkError('unavailable', `${name}: no sentinel answered`);
}
