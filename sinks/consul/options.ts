import { z } from 'zod';
import { credentialReference } from '../../schemas/credential-reference.ts';
import { duration } from '../../schemas/duration.ts';

const url = z.string().refine(isOrigin, { error: 'write http(s)://host:port, without path, query, user or password; the token has a field of its own' });

const tls = z
  .strictObject({
    ca: credentialReference.optional().describe('PEM certificates to trust instead of the system’s'),
    cert: credentialReference.optional().describe('PEM client certificate'),
    key: credentialReference.optional().describe('PEM key of the client certificate'),
    servername: z.string().min(1).optional().describe('Name that the certificate must have, if not the host that is dialled'),
  })
  .refine((options) => (options.cert === undefined) === (options.key === undefined), { error: 'cert and key belong together' });

const name = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, { error: 'a name of letters, digits, - and _' });

export const consulOptions = z
  .strictObject({
    url: url.describe('http(s)://host:port of an agent or server'),
    token: credentialReference.optional().describe('ACL token; if absent, what the anonymous token may do'),
    datacenter: name.optional().describe('If absent, that of the agent'),
    namespace: name.optional().describe('Consul Enterprise'),
    partition: name.optional().describe('Consul Enterprise'),
    tls: tls.optional(),
    connectTimeout: duration.default(5_000).describe('For the connection and its handshake'),
    requestTimeout: duration.default(15_000).describe('For one request, from the connection to the last byte'),
  })
  .refine((options) => options.tls === undefined || options.url.startsWith('https:'), { path: ['tls'], error: 'tls needs an https:// url' });

export type ConsulOptions = z.output<typeof consulOptions>;

export function systemOf({ url: address, datacenter, namespace, partition }: ConsulOptions): string {
  const scope = Object.entries({ datacenter, partition, namespace }).flatMap(([field, value]) => (value === undefined ? [] : [`${field} ${value}`]));
  return [new URL(address).origin, ...scope].join(', ');
}

function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash, pathname } = new URL(text);
  return /^https?:$/.test(protocol) && `${username}${password}${search}${hash}` === '' && pathname === '/' && !text.endsWith('?') && !text.endsWith('#');
}
