import type { RedisOptions as ClientOptions } from 'ioredis';
import { z } from 'zod';
import type { CredentialReference } from '../../domain/bundle.ts';
import { credentialReference } from '../../schemas/credential-reference.ts';
import { duration } from '../../schemas/duration.ts';
import { readCredential } from '../read-credential.ts';
import type { ResolveCredential } from '../sink.ts';

/** `redis://host:port/database`, or `rediss://` for TLS; nothing else that a URL can hold. */
const redisUrl = z.string().refine((text) => isRedisUrl(text, /^(\/\d*)?$/), {
  error: 'write redis://host:port/database (rediss:// for TLS), without username, password or query; credentials have fields of their own',
});

const nodes = z
  .array(
    z.string().refine((text) => isRedisUrl(text, /^\/?$/), {
      error: 'write redis://host:port (rediss:// for TLS), without username, password, database or query; credentials have fields of their own',
    }),
  )
  .min(1)
  .refine((urls) => new Set(urls.map((url) => url.split(':')[0])).size === 1, { error: 'write redis:// for every node, or rediss:// for every node' });

const tls = z.strictObject({
  ca: credentialReference.optional().describe('PEM certificates to trust instead of the system’s'),
  cert: credentialReference.optional().describe('PEM client certificate'),
  key: credentialReference.optional().describe('PEM key of the client certificate'),
  servername: z.string().min(1).optional().describe('Name that the certificate must have, if not the host that is dialled'),
});

const loginFields = {
  username: z.string().min(1).optional().describe('ACL user'),
  password: credentialReference.optional(),
  tls: tls.optional(),
};

const cluster = z.strictObject({
  nodes: nodes.describe('redis://host:port of some nodes; the others are found through them'),
});

const sentinel = z
  .strictObject({
    name: z.string().min(1).describe('What the sentinels call the primary'),
    nodes: nodes.describe('redis://host:port of the sentinels, asked in this order; rediss:// for TLS'),
    database: z.int().min(0).default(0).describe('Database of the primary'),
    ...loginFields,
  })
  .refine((options) => options.tls === undefined || options.nodes.every(isSecure), { path: ['tls'], error: 'tls needs rediss:// nodes' })
  .refine((options) => options.username === undefined || options.password !== undefined, { path: ['username'], error: 'username needs a password' });

export const redisOptions = z
  .strictObject({
    url: redisUrl.optional().describe('redis://host:port/database, or rediss:// for TLS'),
    cluster: cluster.optional().describe('A cluster, instead of url'),
    sentinel: sentinel.optional().describe('A primary that sentinels name, instead of url; username, password and tls beside it are for the primary'),
    ...loginFields,
    connectTimeout: duration.default(5_000).describe('For the connection and its handshake'),
    commandTimeout: duration.default(15_000).describe('For one command; a write is one command, whatever its size'),
  })
  .refine((options) => [options.url, options.cluster, options.sentinel].filter((each) => each !== undefined).length === 1, {
    error: 'write one of url, cluster and sentinel',
  })
  .refine((options) => options.tls === undefined || [options.url ?? options.cluster?.nodes ?? []].flat().every(isSecure), {
    path: ['tls'],
    error: 'tls needs rediss:// urls',
  })
  .refine((options) => options.username === undefined || options.password !== undefined, { path: ['username'], error: 'username needs a password' });

export type RedisSinkOptions = z.infer<typeof redisOptions>;

export type Tls = z.infer<typeof tls>;
export type Sentinel = z.infer<typeof sentinel>;

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What one server is dialled with. */
export interface Login {
  readonly username?: string | undefined;
  readonly password?: CredentialReference | undefined;
  /** Absent: no TLS. */
  readonly tls?: Tls | undefined;
  readonly connectTimeout: number;
  readonly commandTimeout: number;
}

/** What the client needs for one server, with the credentials as they are now. `label` begins the message of an error. */
export async function loginOptions(label: string, login: Login, resolve: ResolveCredential): Promise<ClientOptions> {
  const references = [login.password, login.tls?.ca, login.tls?.cert, login.tls?.key];
  const [password, ca, cert, key] = await Promise.all(references.map((each) => readCredential(label, resolve, each)));
  return {
    ...(login.username === undefined ? {} : { username: login.username }),
    ...(password === undefined ? {} : { password }),
    ...(login.tls === undefined ? {} : { tls: defined({ ca, cert, key, servername: login.tls.servername }) }),
    connectTimeout: login.connectTimeout,
    commandTimeout: login.commandTimeout,
  };
}

/** What the client needs for the server that `url` names. */
export async function clientOptions(options: RedisSinkOptions, resolve: ResolveCredential): Promise<ClientOptions> {
  const { url = '' } = options;
  const { host, port, database } = addressOf(url);
  return { host, port, db: database, ...(await loginOptions(nameOf(options), { ...options, tls: tlsOf(options, url) }, resolve)) };
}

/** TLS as the scheme of a URL asks for it. */
export function tlsOf(options: { readonly tls?: Tls | undefined }, url: string): Tls | undefined {
  return isSecure(url) ? (options.tls ?? {}) : undefined;
}

/** How messages call what the options connect to. */
export function nameOf({ url, cluster: members, sentinel: watched }: RedisSinkOptions): string {
  if (members) return `redis cluster ${members.nodes[0]}`;
  return watched ? `redis ${watched.name} of sentinel ${watched.nodes[0]}` : `redis ${url}`;
}

/**
 * Names the connected system. A cluster is named by the first of its nodes in order of the alphabet, as a sink that has that one as its `url` is,
 * so that two sinks whose lists differ in the others are still found to be one.
 */
export function systemOf({ url, cluster: members, sentinel: watched }: RedisSinkOptions): string {
  if (watched) return `sentinel ${watched.nodes.map((node) => authorityOf(node, 26_379)).toSorted()[0]} ${watched.name}/${watched.database}`;
  const [first = ''] = (members?.nodes ?? [url ?? '']).map((node) => authorityOf(node, 6_379)).toSorted();
  return `${first}/${members ? 0 : addressOf(url ?? '').database}`;
}

function authorityOf(url: string, defaultPort: number): string {
  const { host, port } = addressOf(url, defaultPort);
  return `${host.toLowerCase()}:${port}`;
}

export function addressOf(url: string, defaultPort = 6_379): { readonly host: string; readonly port: number; readonly database: number } {
  const { hostname, port, pathname } = new URL(url);
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? defaultPort : Number(port), database: Number(pathname.slice(1)) };
}

function isSecure(url: string): boolean {
  return url.startsWith('rediss:');
}

function isRedisUrl(text: string, path: RegExp): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  const bare = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  return ['redis:', 'rediss:'].includes(url.protocol) && url.hostname !== '' && bare && path.test(url.pathname);
}

function defined(given: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
}
