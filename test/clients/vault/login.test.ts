import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { parseBundle } from '../../../clients/bundle.ts';
import { createVaultClient } from '../../../clients/vault.ts';
import type { SecretManagerClient } from '../../../clients/vault/secret-client.ts';
import { SecretError } from '../../../clients/vault/secret-error.ts';
import type { SecretManager } from '../../../domain/bundle.ts';
import { sinkDefinitions } from '../../../sinks/registry.ts';
import { startVault, type VaultServer } from '../../servers/vault.ts';

let vault: VaultServer;
let proxy: CountingProxy;
const opened: SecretManagerClient[] = [];

beforeAll(async () => {
  vault = await startVault();
  proxy = await startProxy(() => vault.address);
  await vault.readPolicy('app', 'app/*');
  await vault.put('app/db', { password: 'hunter2', user: 'ann', port: 1 });
  await vault.put('other/db', { password: 'not for app' });
  for (let i = 0; i < 10; i++) await vault.put(`app/many-${i}`, { key: `value-${i}` });
});

afterAll(async () => {
  await Promise.all(opened.map((client) => client.close()));
  await proxy.stop();
  await vault.stop();
});

function connect(auth: SecretManager['auth'], credentials: Record<string, string>, more: Partial<SecretManager> = {}): SecretManagerClient {
  const manager: SecretManager = { kind: 'vault', address: proxy.address, mount: 'secret', kv: 2, auth, ...more };
  const client = createVaultClient({ name: 'vault', manager }, async (reference) => credentials['env' in reference ? reference.env : ''] ?? '');
  opened.push(client);
  return client;
}

const read = async (client: SecretManagerClient, path = 'app/db', field = 'password'): Promise<string> =>
  (await client.read([{ path, field }], AbortSignal.timeout(20_000)))[0]?.reveal() ?? '';

async function failureOf(work: Promise<unknown>): Promise<SecretError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof SecretError)) throw new Error('no SecretError', { cause: error });
  return error;
}

async function appRole(ttl: string, maxTtl?: string) {
  const { roleId, secretId } = await vault.appRole({ policies: ['app'], ttl, ...(maxTtl !== undefined && { maxTtl }) });
  const credentials: Record<string, string> = { R: roleId, S: secretId };
  return { credentials, auth: { method: 'approle', roleId: { env: 'R' }, secretId: { env: 'S' } } as const };
}

test('a hundred reads at once are one login, and ten fields of one path one read', async () => {
  const { auth, credentials } = await appRole('1h');
  const client = connect(auth, credentials);
  const before = proxy.seen.length;
  const values = await Promise.all(Array.from({ length: 100 }, async (_, i) => read(client, `app/many-${i % 10}`, 'key')));
  expect(values).toEqual(Array.from({ length: 100 }, (_, i) => `value-${i % 10}`));
  expect(proxy.seen.slice(before).filter((line) => line.includes('/login'))).toEqual(['POST /v1/auth/approle/login']);

  const then = proxy.seen.length;
  const fields = Array.from({ length: 10 }, (_, i) => ({ path: 'app/db', field: ['user', 'password', 'port'][i % 3] ?? '' }));
  await client.read(fields, AbortSignal.timeout(20_000));
  await client.describe(fields, AbortSignal.timeout(20_000));
  expect(proxy.seen.slice(then).filter((line) => line.includes('/data/'))).toEqual(['GET /v1/secret/data/app/db', 'GET /v1/secret/data/app/db']);
});

test('a token is renewed before it ends, without another login', async () => {
  const { auth, credentials } = await appRole('3s', '1h');
  const client = connect(auth, credentials);
  const before = proxy.seen.length;
  expect(await read(client)).toBe('hunter2');
  const renewals = (): number => proxy.seen.slice(before).filter((line) => line.includes('renew-self')).length;
  await expect.poll(renewals, { timeout: 20_000 }).toBeGreaterThan(1);
  // By now the first lease is over.
  expect(await read(client)).toBe('hunter2');
  expect(proxy.seen.slice(before).filter((line) => line.includes('/login'))).toHaveLength(1);
});

test('a token that can be renewed no longer is replaced by a new login, once for all who wait', async () => {
  const { auth, credentials } = await appRole('1s', '1s');
  const client = connect(auth, credentials);
  expect(await read(client)).toBe('hunter2');
  const before = proxy.seen.length;
  const logins = (): number => proxy.seen.slice(before).filter((line) => line.includes('/login')).length;
  await expect
    .poll(
      async () => {
        await Promise.all(Array.from({ length: 20 }, () => read(client)));
        return logins();
      },
      { timeout: 20_000 },
    )
    .toBeGreaterThan(0);
  expect(logins()).toBeLessThan(20);
});

test('a token that was revoked is replaced by one login, and all reads succeed', async () => {
  const { auth, credentials } = await appRole('1h');
  const client = connect(auth, credentials);
  await read(client);
  await vault.call('POST', 'auth/token/revoke', { token: proxy.tokens.at(-1) });
  const before = proxy.seen.length;
  const values = await Promise.all(Array.from({ length: 30 }, () => read(client)));
  expect(new Set(values)).toEqual(new Set(['hunter2']));
  expect(proxy.seen.slice(before).filter((line) => line.includes('/login'))).toHaveLength(1);
});

test('a policy that does not allow the path is told with the line that it lacks, and leads to no login', async () => {
  const { auth, credentials } = await appRole('1h');
  const client = connect(auth, credentials);
  await read(client);
  const before = proxy.seen.length;
  const error = await failureOf(read(client, 'other/db'));
  expect(error.reason).toBe('unauthorized');
  expect(error.message).toContain('path "secret/data/other/db" { capabilities = ["read"] }');
  expect(proxy.seen.slice(before).filter((line) => line.includes('/login'))).toEqual([]);
});

test('a token without the default policy is used for what it may read, and told apart from a dead one no better than Vault does', async () => {
  await vault.call('PUT', 'sys/policies/acl/default-less', { policy: 'path "secret/data/app/*" { capabilities = ["read"] }' });
  const token = await vault.token({ policies: ['default-less'], noDefaultPolicy: true });
  const client = connect({ method: 'token', token: { env: 'T' } }, { T: token });
  expect(await read(client)).toBe('hunter2');
  expect((await failureOf(read(client, 'other/db'))).reason).toBe('unauthorized');
  expect(await read(client)).toBe('hunter2');
});

test('a static token is read anew once it is dead', async () => {
  const [first, second] = await Promise.all([vault.token({ policies: ['app'] }), vault.token({ policies: ['app'] })]);
  const credentials = { T: `${first}\n` };
  const client = connect({ method: 'token', token: { env: 'T' } }, credentials);
  expect(await read(client)).toBe('hunter2');
  await vault.call('POST', 'auth/token/revoke', { token: first });
  const error = await failureOf(read(client));
  expect(error).toMatchObject({ reason: 'unauthorized' });
  expect(error.message).not.toContain(first);
  credentials.T = second;
  expect(await read(client)).toBe('hunter2');
});

test('userpass logs in at its own mount', async () => {
  await vault.call('POST', 'sys/auth/people', { type: 'userpass' });
  await vault.call('POST', 'auth/people/users/ann', { password: 'p4ss', token_policies: ['app'] });
  const client = connect({ method: 'userpass', mount: 'people', username: 'ann', password: { env: 'P' } }, { P: 'p4ss' });
  expect(await read(client)).toBe('hunter2');
});

test('a refused login is told without its credentials, and not tried again at once', async () => {
  const { auth, credentials } = await appRole('1h');
  const client = connect(auth, { ...credentials, S: 'wrong-secret-id' });
  const before = proxy.seen.length;
  const errors = await Promise.all(Array.from({ length: 10 }, () => failureOf(read(client))));
  expect(errors[0]?.message).toMatch(/the login at auth\/approle\/login was refused \(400\); check roleId and secretId/);
  expect(errors[0]?.message).not.toContain('wrong-secret-id');
  expect((await failureOf(read(client))).reason).toBe('unauthorized');
  // Clients of other tests may renew their tokens meanwhile.
  expect(proxy.seen.slice(before).filter((line) => line.includes('/login'))).toHaveLength(1);
});

test('a credential of its own that cannot be read is told by its reference', async () => {
  const manager: SecretManager = { kind: 'vault', address: vault.address, mount: 'secret', kv: 2, auth: { method: 'token', token: { env: 'NOPE' } } };
  const client = createVaultClient({ name: 'vault', manager }, () => Promise.reject(new Error('environment variable NOPE is not set')));
  opened.push(client);
  expect((await failureOf(read(client))).message).toContain('environment variable NOPE is not set');
});

test('closing gives the token back', async () => {
  const { auth, credentials } = await appRole('1h');
  const client = connect(auth, credentials);
  await read(client);
  const token = proxy.tokens.at(-1);
  await client.close();
  await expect(vault.call('POST', 'auth/token/lookup', { token })).rejects.toThrow('403');
  expect((await failureOf(read(client))).reason).toBe('unavailable');
});

test('the bundle and the policy of docs/vault.md are good as they stand', async () => {
  const page = await readFile(new URL('../../../docs/vault.md', import.meta.url), 'utf8');
  const blockOf = (language: string): string => new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(page)?.[1] ?? '';
  expect(parseBundle(`apiVersion: vartrack.dev/v1\n${blockOf('yaml')}`, 'vartrack.yaml', sinkDefinitions).problems).toEqual([]);
  await vault.call('PUT', 'sys/policies/acl/documented', { policy: blockOf('hcl') });
  await vault.put('sinks/redis', { password: 'p' });
  const { roleId, secretId } = await vault.appRole({ policies: ['documented'], ttl: '1h' });
  const client = connect({ method: 'approle', roleId: { env: 'R' }, secretId: { env: 'S' } }, { R: roleId, S: secretId });
  expect(await read(client, 'sinks/redis')).toBe('p');
  expect((await failureOf(read(client))).reason).toBe('unauthorized');
});

interface CountingProxy {
  readonly address: string;
  /** Method and path of each request. */
  readonly seen: string[];
  /** Tokens that logins gave. */
  readonly tokens: string[];
  stop(): Promise<void>;
}

/** Stands between the client and Vault and writes down what passes. */
async function startProxy(target: () => string): Promise<CountingProxy> {
  const seen: string[] = [];
  const tokens: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    void (async () => {
      const body = await bodyOf(request);
      const token = request.headers['x-vault-token'];
      const answer = await fetch(`${target()}${request.url}`, {
        method: request.method ?? '',
        headers: typeof token === 'string' ? { 'x-vault-token': token } : {},
        ...(body !== '' && { body }),
      });
      const text = await answer.text();
      const given = /"client_token":"([^"]+)"/.exec(text)?.[1];
      if (given !== undefined && request.url?.includes('/login')) tokens.push(given);
      response.writeHead(answer.status).end(text);
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    tokens,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}
