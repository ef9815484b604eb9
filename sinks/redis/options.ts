import type { RedisOptions as ClientOptions } from 'ioredis';
import { z } from 'zod';
import { credentialReference } from '../../schemas/credential-reference.ts';
import { duration } from '../../schemas/duration.ts';
import { SinkError } from '../errors.ts';
import type { ResolveCredential } from '../sink.ts';

/** `redis://host:port/database`, or `rediss://` for TLS; nothing else that a URL can hold. */
const redisUrl = z.string().refine(isRedisUrl, {
  error: 'write redis://host:port/database (rediss:// for TLS), without username, password or query; credentials have fields of their own',
});

const tls = z.strictObject({
  ca: credentialReference.optional().describe('PEM certificates to trust instead of the system’s'),
  cert: credentialReference.optional().describe('PEM client certificate'),
  key: credentialReference.optional().describe('PEM key of the client certificate'),
  servername: z.string().min(1).optional().describe('Name that the certificate must have, if not the host of the url'),
});

export const redisOptions = z
  .strictObject({
    url: redisUrl.describe('redis://host:port/database, or rediss:// for TLS'),
    username: z.string().min(1).optional().describe('ACL user'),
    password: credentialReference.optional(),
    tls: tls.optional(),
    connectTimeout: duration.default(5_000).describe('For the connection and its handshake'),
    commandTimeout: duration.default(15_000).describe('For one command; a write is one command, whatever its size'),
  })
  .refine((options) => options.tls === undefined || options.url.startsWith('rediss:'), { path: ['tls'], error: 'tls needs a rediss:// url' })
  .refine((options) => options.username === undefined || options.password !== undefined, { path: ['username'], error: 'username needs a password' });

export type RedisSinkOptions = z.infer<typeof redisOptions>;

/** What the client needs, with the credentials as they are now. */
export async function clientOptions(options: RedisSinkOptions, resolve: ResolveCredential): Promise<ClientOptions> {
  const { hostname, port, pathname, protocol } = new URL(options.url);
  const read = async (reference: Parameters<ResolveCredential>[0] | undefined) => {
    if (reference === undefined) return undefined;
    try {
      return await resolve(reference);
    } catch (error) {
      // The resolver's message names the reference, never the value.
      throw new SinkError('unavailable', `redis ${options.url}: ${error instanceof Error ? error.message : 'a credential cannot be read'}`);
    }
  };
  const [password, ca, cert, key] = await Promise.all([options.password, options.tls?.ca, options.tls?.cert, options.tls?.key].map(read));
  const servername = options.tls?.servername;
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? 6379 : Number(port),
    db: Number(pathname.slice(1)),
    ...(options.username === undefined ? {} : { username: options.username }),
    ...(password === undefined ? {} : { password }),
    ...(protocol === 'rediss:' ? { tls: defined({ ca, cert, key, servername }) } : {}),
    connectTimeout: options.connectTimeout,
    commandTimeout: options.commandTimeout,
  };
}

function isRedisUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  const bare = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  return ['redis:', 'rediss:'].includes(url.protocol) && url.hostname !== '' && bare && /^(\/\d*)?$/.test(url.pathname);
}

function defined(given: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
}
