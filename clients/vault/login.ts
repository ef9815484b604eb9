import { z } from 'zod';
import type { SecretManager } from '../../domain/bundle.ts';
import type { ResolveCredential } from '../../sinks/sink.ts';
import type { VaultAnswer, VaultHttp, VaultPlace } from './http.ts';
import { ownCredential } from './own-credential.ts';
import { SecretError } from './secret-error.ts';

/** A token, and how long it lives from the moment that it was asked for. */
export interface Grant {
  readonly token: string;
  /** Null: for ever, or it may not be asked. */
  readonly leaseMs: number | null;
  readonly renewable: boolean;
}

type Auth = SecretManager['auth'];
type Login = { readonly path: string; readonly body: object; readonly advice: string };

const granted = z.object({ auth: z.object({ client_token: z.string().min(1), lease_duration: z.number(), renewable: z.boolean() }) });
const looked = z.object({ data: z.object({ ttl: z.number(), renewable: z.boolean().default(false) }) });

/** Logs in as the bundle says, with credentials read now. Throws SecretError; no message holds a credential. */
export async function logIn(vault: VaultPlace, http: VaultHttp, resolve: ResolveCredential, signal: AbortSignal): Promise<Grant> {
  const { auth } = vault.manager;
  const read = (reference: Parameters<ResolveCredential>[0]): Promise<string> => ownCredential(vault.name, reference, resolve);
  if (auth.method === 'token') return lookUp(http, oneLine(vault, await read(auth.token)), signal);
  const { path, body, advice } = await loginOf(auth, read);
  const answer = await http.send({ method: 'POST', path, body }, signal);
  const grant = grantOf(answer);
  if (grant) return grant;
  if (answer.status === 200) throw new SecretError('rejected', { manager: vault.name }, `${vault.manager.address} answers as no Vault does; check address`);
  throw new SecretError('unauthorized', { manager: vault.name }, `the login at ${path} was refused (${answer.status}); check ${advice}`);
}

/** Gives the token of an answer to a login or a renewal; undefined if there is none. */
export function grantOf({ status, body }: VaultAnswer): Grant | undefined {
  const auth = status === 200 ? granted.safeParse(body).data?.auth : undefined;
  return auth && { token: auth.client_token, leaseMs: auth.lease_duration > 0 ? auth.lease_duration * 1_000 : null, renewable: auth.renewable };
}

/** Whether Vault still knows the token. A policy may forbid the question, which looks the same as a token that is dead. */
export async function isAlive(http: VaultHttp, token: string, signal: AbortSignal): Promise<boolean> {
  return (await http.send({ method: 'GET', path: LOOK_UP, token }, signal)).status === 200;
}

const LOOK_UP = 'auth/token/lookup-self';

async function lookUp(http: VaultHttp, token: string, signal: AbortSignal): Promise<Grant> {
  const { status, body } = await http.send({ method: 'GET', path: LOOK_UP, token }, signal);
  const data = status === 200 ? looked.safeParse(body).data?.data : undefined;
  // One that may not look itself up may still read secrets; if it may not, the read says so.
  if (!data) return { token, leaseMs: null, renewable: false };
  return { token, leaseMs: data.ttl > 0 ? data.ttl * 1_000 : null, renewable: data.renewable };
}

async function loginOf(auth: Exclude<Auth, { method: 'token' }>, read: (reference: Parameters<ResolveCredential>[0]) => Promise<string>): Promise<Login> {
  const mount = `auth/${(auth.mount ?? auth.method)
    .replace(/^\/+|\/+$/g, '')
    .split('/')
    .map(encodeURIComponent)
    .join('/')}`;
  switch (auth.method) {
    case 'approle': {
      const [role_id, secret_id] = await Promise.all([read(auth.roleId), read(auth.secretId)]);
      return {
        path: `${mount}/login`,
        body: { role_id, secret_id },
        advice: 'roleId and secretId (it may have expired or be used up), and the mount of approle',
      };
    }
    case 'userpass':
      return {
        path: `${mount}/login/${encodeURIComponent(auth.username)}`,
        body: { password: await read(auth.password) },
        advice: 'username and password, and the mount of userpass; Vault locks a user out for a while after five failures',
      };
    case 'kubernetes':
      return {
        path: `${mount}/login`,
        body: { role: auth.role, jwt: await read(auth.jwt) },
        advice: `that role ${auth.role} takes the service account, namespace and audience of jwt, and the mount of kubernetes`,
      };
  }
}

function oneLine({ name }: VaultPlace, token: string): string {
  const trimmed = token.trim();
  if (/^[\x21-\x7e]+$/.test(trimmed)) return trimmed;
  throw new SecretError('unauthorized', { manager: name }, 'the token is empty or not one line of plain characters; check what auth.token refers to');
}
