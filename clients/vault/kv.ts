import { z } from 'zod';
import type { VaultAnswer, VaultPlace } from './http.ts';
import type { SecretAddress } from './secret-client.ts';
import { SecretError } from './secret-error.ts';

/** One secret as it was read: never kept. */
export interface KvSecret {
  readonly fields: Readonly<Record<string, unknown>>;
  /** Null for KV v1. */
  readonly version: number | null;
}

export type KvAddress = Pick<SecretAddress, 'path' | 'version'>;

const metadata = z.object({ version: z.number(), deletion_time: z.string().default(''), destroyed: z.boolean().default(false) });
const versioned = z.object({ data: z.object({ data: z.record(z.string(), z.unknown()).nullable(), metadata }) });
const plain = z.object({ data: z.record(z.string(), z.unknown()) });
const refusal = z.object({ errors: z.array(z.string()).default([]), warnings: z.array(z.string()).nullable().default([]) });

/** Path of the request below `/v1/`. Throws `rejected` for a path that is none. */
export function requestPath({ name, manager }: VaultPlace, address: KvAddress): string {
  const place = { manager: name, address };
  const segments = address.path.split('/');
  // A URL resolves dots, and the request would go somewhere else.
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..'))
    throw new SecretError('rejected', place, 'the path has an empty part or dots; write it as vault kv get takes it below the mount, such as app/db');
  if (manager.kv === 1 && address.version !== undefined)
    throw new SecretError('rejected', place, 'KV v1 keeps no versions; leave out ?version=, or set kv: 2 if the engine is one');
  const query = address.version === undefined ? '' : `?version=${address.version}`;
  return `${dataPath(manager.mount, manager.kv, address.path).split('/').map(encodeURIComponent).join('/')}${query}`;
}

/** What the engine answered. Throws `missing`, `unauthorized` or `rejected`; no message holds anything of a body. */
export function parseSecret(vault: VaultPlace, address: KvAddress, { status, body }: VaultAnswer): KvSecret {
  const { name, manager } = vault;
  const place = { manager: name, address };
  if (status === 200) {
    const secret = manager.kv === 2 ? versionedSecret(body) : plainSecret(body);
    if (!secret) throw new SecretError('rejected', place, `${manager.address} answers as no KV v${manager.kv} engine does; check address, mount and kv`);
    return secret;
  }
  if (status === 404) throw missingError(vault, address, body);
  if (status === 401 || status === 403) throw deniedError(vault, address);
  const advice =
    status >= 300 && status < 400 ? `it redirects (${status}); write the address that it leads to` : `it answered with ${status}; check address and mount`;
  throw new SecretError('rejected', place, `${manager.address} refused the request: ${advice}`);
}

export function deniedError({ name, manager }: VaultPlace, address: KvAddress): SecretError {
  const line = `path "${dataPath(manager.mount, manager.kv, address.path)}" { capabilities = ["read"] }`;
  return new SecretError('unauthorized', { manager: name, address }, `the login may not read it; its policy lacks: ${line}`);
}

function missingError({ name, manager }: VaultPlace, address: KvAddress, body: unknown): SecretError {
  const place = { manager: name, address };
  const version = versioned.safeParse(body).data?.data.metadata;
  if (version?.destroyed) return new SecretError('missing', place, `version ${version.version} is destroyed for good; write a new one`);
  if (version?.deletion_time) return new SecretError('missing', place, `version ${version.version} is deleted; run vault kv undelete, or write a new one`);
  const { errors, warnings } = refusal.safeParse(body).data ?? { errors: [], warnings: [] };
  if (errors.some((text) => /no handler for route/i.test(text)))
    return new SecretError('missing', place, `no engine is mounted at ${manager.mount}; correct mount in secretManagers`);
  if (warnings?.some((text) => /versioned/i.test(text))) return new SecretError('missing', place, `${manager.mount} is a KV v2 engine; set kv: 2`);
  const what = address.version === undefined ? 'no such secret' : 'no such secret, or not this version of it';
  return new SecretError('missing', place, `${what} below ${manager.mount}/ (KV v${manager.kv}); write it, or correct the reference`);
}

function dataPath(mount: string, kv: 1 | 2, path: string): string {
  const below = mount.replace(/^\/+|\/+$/g, '');
  return kv === 2 ? `${below}/data/${path}` : `${below}/${path}`;
}

function versionedSecret(body: unknown): KvSecret | undefined {
  const answer = versioned.safeParse(body).data?.data;
  return answer && { fields: answer.data ?? {}, version: answer.metadata.version };
}

function plainSecret(body: unknown): KvSecret | undefined {
  const answer = plain.safeParse(body).data;
  return answer && { fields: answer.data, version: null };
}
