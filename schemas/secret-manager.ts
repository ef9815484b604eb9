import { z } from 'zod';
import type { SecretManager } from '../domain/bundle.ts';
import { credentialReference } from './credential-reference.ts';
import { duration } from './duration.ts';

const mount = z.string().min(1).exactOptional().describe('Mount of the auth method; by default its name');

const auth = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('token'), token: credentialReference }),
  z.strictObject({ method: z.literal('approle'), mount, roleId: credentialReference, secretId: credentialReference }),
  z.strictObject({ method: z.literal('userpass'), mount, username: z.string().min(1), password: credentialReference }),
  z.strictObject({ method: z.literal('kubernetes'), mount, role: z.string().min(1), jwt: credentialReference }),
]);

const tls = z.strictObject({
  ca: credentialReference.exactOptional().describe('PEM certificates to trust instead of the system’s'),
  servername: z.string().min(1).exactOptional().describe('Name that the certificate must have, if not the host of address'),
});

export const secretManager = z
  .strictObject({
    kind: z.literal('vault'),
    address: z.string().refine(isServerAddress, { error: 'write the address of the server, such as https://vault:8200, without a user or password' }),
    mount: z.string().min(1).default('secret').describe('Mount of the key-value engine'),
    kv: z
      .union([z.literal(1), z.literal(2)], { error: 'write 1 or 2' })
      .default(2)
      .describe('Version of the key-value engine'),
    namespace: z.string().min(1).exactOptional().describe('Namespace of Vault Enterprise or OpenBao'),
    tls: tls.exactOptional(),
    requestTimeout: duration.default(10_000).describe('For one request, from the connection to the last byte'),
    paths: z
      .array(z.string().min(1))
      .exactOptional()
      .describe('Globs of the paths below the mount that @secret(…) may name, such as app/**; by default whatever the login may read'),
    auth,
  })
  .refine(({ tls: given, address }) => given === undefined || address.startsWith('https:'), { path: ['tls'], error: 'tls needs an https:// address' })
  .transform(({ requestTimeout, ...rest }): SecretManager => ({ ...rest, requestTimeoutMs: requestTimeout }));

function isServerAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return (protocol === 'https:' || protocol === 'http:') && !username && !password && !search && !hash;
}
