import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { programOf } from './program-of.ts';
import { startProcess, type ServerProcess } from './start-process.ts';

export interface VaultServer {
  /** `http://127.0.0.1:port`; KV v2 is mounted at `secret`. */
  readonly address: string;
  readonly rootToken: string;
  /** A request as root; throws unless Vault takes it. Gives the body of the answer, undefined if there is none. */
  call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: object): Promise<unknown>;
  /** Mounts another engine of this kind and version and gives its path. */
  mountKv(version: 1 | 2): Promise<string>;
  /** Writes a secret into the KV v2 engine at `secret`; gives its version. */
  put(path: string, data: object): Promise<number>;
  /** A policy of this name that may read what is below these paths of the KV v2 engine at `secret`. */
  readPolicy(name: string, ...paths: readonly string[]): Promise<void>;
  /** A token of these policies. */
  token(options: { readonly policies: readonly string[]; readonly ttl?: string; readonly noDefaultPolicy?: boolean }): Promise<string>;
  /** An AppRole whose tokens have these policies and this lifetime. */
  appRole(options: {
    readonly policies: readonly string[];
    readonly ttl: string;
    readonly maxTtl?: string;
  }): Promise<{ readonly roleId: string; readonly secretId: string }>;
  stop(): Promise<void>;
  /** SIGKILL, and then an empty server at the same address with the same root token: a dev server keeps nothing. */
  readonly outage: { begin(): Promise<void>; end(): Promise<void> };
}

const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Starts Vault's dev server on a free port of 127.0.0.1. */
export async function startVault(): Promise<VaultServer> {
  const home = await mkdtemp(join(scratch, 'vartrack-vault-'));
  const rootToken = `root-${randomBytes(12).toString('hex')}`;
  const program = await programOf('vault');

  // It would leave the root token in the home directory.
  const args = ['server', '-dev', '-dev-no-store-token', '-log-level=warn'];
  const start = (port?: number): Promise<ServerProcess> =>
    startProcess({
      program,
      port,
      args: (listen) => [...args, `-dev-listen-address=127.0.0.1:${listen}`],
      env: { VAULT_DEV_ROOT_TOKEN_ID: rootToken, HOME: home },
      cwd: home,
      ready: async (listen) => {
        await call(`http://127.0.0.1:${listen}`, rootToken, 'GET', 'sys/internal/ui/mounts/secret');
        return true;
      },
    });
  let server = await start();
  const address = `http://127.0.0.1:${server.port}`;
  const asRoot: VaultServer['call'] = (method, path, body) => call(address, rootToken, method, path, body);
  let mounts = 0;
  let enabled: Promise<unknown> | undefined;
  return {
    address,
    rootToken,
    call: asRoot,
    mountKv: async (version) => {
      const path = `kv${version}-${++mounts}`;
      await asRoot('POST', `sys/mounts/${path}`, { type: 'kv', options: { version: String(version) } });
      return path;
    },
    put: async (path, data) => {
      const answer = await asRoot('POST', `secret/data/${path.split('/').map(encodeURIComponent).join('/')}`, { data });
      return (answer as { data: { version: number } }).data.version;
    },
    readPolicy: async (name, ...paths) => {
      const policy = paths.map((path) => `path "secret/data/${path}" { capabilities = ["read"] }`).join('\n');
      await asRoot('PUT', `sys/policies/acl/${name}`, { policy });
    },
    token: async ({ policies, ttl, noDefaultPolicy }) => {
      const answer = await asRoot('POST', 'auth/token/create', { policies, ttl, no_default_policy: noDefaultPolicy ?? false, no_parent: true });
      return (answer as { auth: { client_token: string } }).auth.client_token;
    },
    appRole: async ({ policies, ttl, maxTtl }) => {
      await (enabled ??= asRoot('POST', 'sys/auth/approle', { type: 'approle' }));
      const role = `auth/approle/role/role-${randomBytes(4).toString('hex')}`;
      await asRoot('POST', role, { token_policies: policies, token_ttl: ttl, ...(maxTtl !== undefined && { token_max_ttl: maxTtl }) });
      const [id, secret] = await Promise.all([asRoot('GET', `${role}/role-id`), asRoot('POST', `${role}/secret-id`, {})]);
      return { roleId: (id as { data: { role_id: string } }).data.role_id, secretId: (secret as { data: { secret_id: string } }).data.secret_id };
    },
    stop: async () => {
      await server.kill();
      await rm(home, { recursive: true, force: true });
    },
    outage: {
      begin: () => server.kill(),
      end: async () => {
        server = await start(server.port);
        enabled = undefined;
      },
    },
  };
}

async function call(address: string, token: string, method: string, path: string, body?: object): Promise<unknown> {
  const headers = { 'x-vault-token': token };
  const signal = AbortSignal.timeout(10_000);
  const answer = await fetch(`${address}/v1/${path}`, { method, headers, signal, ...(body && { body: JSON.stringify(body) }) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`vault ${method} ${path}: ${answer.status} ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}
