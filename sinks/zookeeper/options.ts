import { z } from 'zod';
import { credentialReference } from '../../schemas/credential-reference.ts';
import { duration } from '../../schemas/duration.ts';
import { aclOf, aclOption, CREATOR_ALL, OPEN_TO_ALL, type AclEntry } from './acl.ts';
import { pathProblem } from './znode-names.ts';

const serverAddress = z
  .string()
  .refine((text) => addressOf(text) !== null, { error: 'write host:port, with an IPv6 address in brackets; 2181 if there is no port' });

const tls = z.strictObject({
  ca: credentialReference.optional().describe('PEM certificates to trust instead of the system’s'),
  cert: credentialReference.optional().describe('PEM client certificate'),
  key: credentialReference.optional().describe('PEM key of the client certificate'),
  servername: z.string().min(1).optional().describe('Name that the certificate must have, if not the host that is dialled'),
});

export const zooKeeperOptions = z
  .strictObject({
    servers: z.array(serverAddress).min(1).describe('host:port of the servers of the ensemble; one is connected to at a time'),
    chroot: z
      .string()
      .superRefine((path, context) => {
        const problem = pathProblem(path);
        if (problem !== null) context.addIssue({ code: 'custom', message: `a chroot ${problem}` });
      })
      .optional()
      .describe('Znode below which all places are, such as /acme'),
    auth: credentialReference.optional().describe('user:password of the digest scheme'),
    acl: aclOption
      .optional()
      .describe('Of znodes that are made; those that exist keep theirs. If absent: all for who is in auth, or, without auth, for anyone'),
    tls: tls.optional().describe('Present, also as {}: connect with TLS (secureClientPort of the servers)'),
    sessionTimeout: duration.default(30_000).describe('After how long without a sign of life each side gives the other up; the server may set limits'),
    connectTimeout: duration.default(5_000).describe('For the connection to one server, its session and its authentication'),
    requestTimeout: duration.default(15_000).describe('Without any answer to a request'),
  })
  .refine(({ acl, auth }) => auth !== undefined || acl?.every(({ scheme }) => scheme !== 'auth') !== false, {
    path: ['acl'],
    error: 'an entry of the scheme auth needs auth',
  })
  .refine(({ tls: given }) => (given?.cert === undefined) === (given?.key === undefined), { path: ['tls'], error: 'cert and key go together' });

export type ZooKeeperOptions = z.output<typeof zooKeeperOptions>;

export interface Address {
  readonly host: string;
  readonly port: number;
}

export function addressOf(server: string): Address | null {
  const [, bracketed, plain, port = '2181'] = /^(?:\[([0-9a-f:.]+)\]|([^\s:/@?#[\]]+))(?::(\d{1,5}))?$/i.exec(server) ?? [];
  const host = bracketed ?? plain;
  return host === undefined || Number(port) < 1 || Number(port) > 65_535 ? null : { host, port: Number(port) };
}

/**
 * Names the connected system: the first of the servers in order of the alphabet and the chroot, so that two sinks whose lists are in another order,
 * or differ in the others, are still found to be one.
 */
export function systemOf({ servers, chroot = '' }: ZooKeeperOptions): string {
  const [first = ''] = servers.map((each) => formatAddress(addressOf(each) ?? { host: each, port: 0 }).toLowerCase()).toSorted();
  return first + chroot;
}

export function formatAddress({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** What znodes get that the sink makes. */
export function newZnodeAcl({ acl, auth }: ZooKeeperOptions): readonly AclEntry[] {
  return aclOf(acl ?? (auth === undefined ? OPEN_TO_ALL : CREATOR_ALL));
}
