import type { MongoClientOptions } from 'mongodb';
import { z } from 'zod';
import { credentialReference } from '../../schemas/credential-reference.ts';
import { duration } from '../../schemas/duration.ts';
import { readCredential } from '../read-credential.ts';
import type { ResolveCredential } from '../sink.ts';

const url = z.string().refine((text) => hostsOf(text) !== null, {
  error: 'write mongodb://host:port (several with commas) or mongodb+srv://name, without user, password, database or query; those have fields of their own',
});

const tls = z.strictObject({
  ca: credentialReference.optional().describe('PEM certificates to trust instead of the system’s'),
  cert: credentialReference.optional().describe('PEM client certificate'),
  key: credentialReference.optional().describe('PEM key of the client certificate'),
});

export const mongodbOptions = z
  .strictObject({
    url: url.describe('mongodb://host:port,host:port or mongodb+srv://name'),
    username: z.string().min(1).optional(),
    password: credentialReference.optional(),
    authSource: z.string().min(1).default('admin').describe('Database that knows the user'),
    authMechanism: z.enum(['SCRAM-SHA-256', 'SCRAM-SHA-1']).optional().describe('If absent: what server and driver agree on'),
    tls: tls.optional().describe('{} for TLS with the system’s certificates; always on for mongodb+srv'),
    replicaSet: z.string().min(1).optional().describe('Name that the replica set must have'),
    writeConcern: z
      .union([z.literal('majority'), z.int().min(1)])
      .default('majority')
      .describe('How many members have to have a write'),
    readConcern: z.enum(['local', 'majority', 'linearizable']).default('majority').describe('Reads are always of the primary'),
    batch: z.int().min(1).max(10_000).default(500).describe('Statements of one command'),
    connectTimeout: duration.default(5_000).describe('For one connection'),
    serverSelectionTimeout: duration.default(10_000).describe('Until a primary is found; longer than an election'),
    requestTimeout: duration.default(15_000).describe('For one command'),
  })
  .refine((options) => (options.username === undefined) === (options.password === undefined), {
    path: ['username'],
    error: 'username and password come together',
  })
  .refine((options) => (options.tls?.cert === undefined) === (options.tls?.key === undefined), { path: ['tls'], error: 'cert and key come together' });

export type MongodbOptions = z.output<typeof mongodbOptions>;

/** What the driver's client needs, with the credentials as they are now. No command is ever repeated by it: see `docs/sinks/mongodb.md`. */
export async function clientOptions(options: MongodbOptions, resolve: ResolveCredential): Promise<MongoClientOptions> {
  const label = `mongodb ${systemOf(options)}`;
  const { username, authSource, authMechanism, replicaSet, connectTimeout, serverSelectionTimeout, requestTimeout } = options;
  const references = [options.password, options.tls?.ca, options.tls?.cert, options.tls?.key];
  const [password, ca, cert, key] = await Promise.all(references.map((each) => readCredential(label, resolve, each)));
  return {
    appName: 'varTrack',
    retryWrites: false,
    retryReads: false,
    ...(username === undefined || password === undefined ? {} : { auth: { username, password }, authSource }),
    ...(authMechanism === undefined ? {} : { authMechanism }),
    ...(replicaSet === undefined ? {} : { replicaSet }),
    ...(options.tls === undefined ? {} : { tls: true }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    readPreference: 'primary',
    connectTimeoutMS: connectTimeout,
    serverSelectionTimeoutMS: serverSelectionTimeout,
    waitQueueTimeoutMS: requestTimeout,
    // The server ends a command in time by itself; this is for one that says nothing any more.
    socketTimeoutMS: requestTimeout * 2,
    maxPoolSize: MAX_CONNECTIONS,
    maxIdleTimeMS: 60_000,
  };
}

/** Hosts of one replica set in another order, or only some of them, are mostly found to be one system by the first in order of the alphabet. */
export function systemOf(options: MongodbOptions): string {
  const hosts = hostsOf(options.url) ?? [];
  return (options.url.startsWith('mongodb+srv:') ? hosts.map((host) => `srv ${host}`) : hosts).toSorted()[0] ?? '';
}

const MAX_CONNECTIONS = 16;

/** `host:port` in lower case, or null where the text is anything more than hosts. */
function hostsOf(text: string): readonly string[] | null {
  const srv = /^mongodb\+srv:\/\/([a-z0-9-]+(?:\.[a-z0-9-]+)+)\/?$/i.exec(text)?.[1];
  if (srv !== undefined) return [srv.toLowerCase()];
  const list = /^mongodb:\/\/([^/?#@]+)\/?$/.exec(text)?.[1]?.split(',');
  if (!list?.every((host) => /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?$/i.test(host))) return null;
  return list.map((host) => (/:\d+$/.test(host) ? host : `${host}:27017`).toLowerCase());
}
