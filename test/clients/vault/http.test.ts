import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';

import { createVaultClient } from '../../../clients/vault.ts';
import type { SecretManagerClient } from '../../../clients/vault/secret-client.ts';
import { SecretError } from '../../../clients/vault/secret-error.ts';
import type { SecretManager } from '../../../domain/bundle.ts';
import { makeCertificates } from '../../servers/certificates.ts';

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Answer = { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> };
/** What the server does with the request, this one being its `count`th for the path; null: it never answers. */
type Behaviour = (seen: Seen, count: number) => Answer | null;

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

const secretOf = (data: object): Answer => ({ status: 200, body: { data: { data, metadata: { version: 3, deletion_time: '', destroyed: false } } } });
const SECRET = secretOf({ password: 'hunter2' });
const TOKEN_INFO: Answer = { status: 200, body: { data: { ttl: 0, renewable: false } } };

/** A server of our own where the real one cannot be brought to answer so. */
async function serve(behaviour: Behaviour, tls?: { readonly key: string; readonly cert: string }) {
  const seen: Seen[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const each = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
    seen.push(each);
    const given = behaviour(each, seen.filter(({ path }) => path === each.path).length);
    if (given === null) return;
    response.writeHead(given.status, given.headers ?? {}).end(typeof given.body === 'string' ? given.body : JSON.stringify(given.body ?? {}));
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => void answer(request, response).catch(() => response.destroy());
  const server = tls ? createTlsServer(tls, onRequest) : createServer(onRequest);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { address: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const withToken =
  (behaviour: Behaviour): Behaviour =>
  (seen, count) =>
    seen.path.endsWith('/lookup-self') ? TOKEN_INFO : behaviour(seen, count);

function connect(address: string, more: Partial<SecretManager> = {}, credentials: Readonly<Record<string, string>> = {}): SecretManagerClient {
  const auth = { method: 'token', token: { env: 'T' } } as const;
  const manager: SecretManager = { kind: 'vault', address, mount: 'secret', kv: 2, auth, requestTimeoutMs: 5_000, ...more };
  const client = createVaultClient(
    { name: 'vault', manager },
    async (reference) => ({ T: 'the-token', ...credentials })['env' in reference ? reference.env : ''] ?? '',
  );
  closing.push(() => client.close());
  return client;
}

const read = async (client: SecretManagerClient, signal = AbortSignal.timeout(20_000)): Promise<string> =>
  (await client.read([{ path: 'app/db', field: 'password' }], signal))[0]?.reveal() ?? '';

async function failureOf(work: Promise<unknown>): Promise<SecretError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof SecretError)) throw new Error('no SecretError', { cause: error });
  return error;
}

test('the namespace goes with each request, the token with those that need it', async () => {
  const { address, seen } = await serve(withToken(() => SECRET));
  expect(await read(connect(address, { namespace: 'team/a' }))).toBe('hunter2');
  expect(seen.map(({ headers }) => [headers['x-vault-namespace'], headers['x-vault-token'], headers['x-vault-request']])).toEqual([
    ['team/a', 'the-token', 'true'],
    ['team/a', 'the-token', 'true'],
  ]);
});

test('kubernetes logs in with the role and a service account token, read anew for each login', async () => {
  // As developer.hashicorp.com/vault/api-docs/auth/kubernetes documents it.
  const auth = { client_token: 'k8s-token', accessor: 'a', policies: ['default'], metadata: { role: 'web' }, lease_duration: 2_764_800, renewable: true };
  let alive = 'k8s-token';
  const { address, seen } = await serve(({ path, headers }) => {
    if (path === '/v1/auth/cluster-1/login') return { status: 200, body: { auth: { ...auth, client_token: alive } } };
    if (headers['x-vault-token'] !== alive) return { status: 403, body: { errors: ['permission denied'] } };
    return SECRET;
  });
  let jwt = 'jwt-1';
  const manager: SecretManager = {
    kind: 'vault',
    address,
    mount: 'secret',
    kv: 2,
    auth: { method: 'kubernetes', mount: 'cluster-1', role: 'web', jwt: { env: 'J' } },
  };
  const client = createVaultClient({ name: 'vault', manager }, async () => jwt);
  closing.push(() => client.close());
  expect(await read(client)).toBe('hunter2');
  alive = 'k8s-token-2';
  jwt = 'jwt-2';
  expect(await read(client)).toBe('hunter2');
  expect(seen.filter(({ path }) => path.endsWith('/login')).map(({ method, body }) => [method, JSON.parse(body) as unknown])).toEqual([
    ['POST', { role: 'web', jwt: 'jwt-1' }],
    ['POST', { role: 'web', jwt: 'jwt-2' }],
  ]);
});

test.each([429, 500, 502, 503, 412, 473])('%i is asked again, and then it is right', async (status) => {
  const { address, seen } = await serve(withToken((_, count) => (count === 1 ? { status, body: { errors: [] } } : SECRET)));
  expect(await read(connect(address))).toBe('hunter2');
  expect(seen.filter(({ path }) => path.includes('/data/'))).toHaveLength(2);
});

test.each([
  [429, 'throttled', 'asks to be called less often'],
  [503, 'unavailable', 'is sealed; unseal it'],
  [500, 'unavailable', 'failed with 500'],
] as const)('%i for good is %s, after a few tries', async (status, reason, text) => {
  const { address, seen } = await serve(withToken(() => ({ status, body: { errors: status === 503 ? ['Vault is sealed'] : [] } })));
  const error = await failureOf(read(connect(address)));
  expect(error).toMatchObject({ reason, retryable: true });
  expect(error.message).toContain(text);
  expect(seen.filter(({ path }) => path.includes('/data/'))).toHaveLength(3);
});

test('a server that asks for a long wait is told of instead of waited for', async () => {
  const { address, seen } = await serve(withToken(() => ({ status: 429, headers: { 'retry-after': '60' } })));
  expect(await failureOf(read(connect(address)))).toMatchObject({ reason: 'throttled' });
  expect(seen.filter(({ path }) => path.includes('/data/'))).toHaveLength(1);
});

test('a redirect is not followed: the token would go to another server', async () => {
  const other = await serve(() => SECRET);
  const { address } = await serve(withToken(({ path }) => ({ status: 307, headers: { location: `${other.address}${path}` } })));
  expect((await failureOf(read(connect(address)))).message).toMatch(/it redirects \(307\); write the address that it leads to/);
  expect(other.seen).toEqual([]);
});

test.each([
  ['no JSON', '<html>hunter2</html>'],
  ['another JSON', { hello: 'hunter2' }],
  ['a secret of the other engine', { data: { password: 'hunter2' } }],
])('%s is rejected without a word of it', async (_, body) => {
  const { address } = await serve(withToken(() => ({ status: 200, body })));
  const error = await failureOf(read(connect(address)));
  expect(error).toMatchObject({ reason: 'rejected' });
  expect(error.message).not.toContain('hunter2');
});

test('an answer without end is rejected', async () => {
  const { address } = await serve(withToken(() => ({ status: 200, body: 'x'.repeat(9 * 1024 ** 2) })));
  expect(await failureOf(read(connect(address)))).toMatchObject({ reason: 'rejected' });
});

test('a server that never answers is unavailable after its time limit, told in milliseconds', async () => {
  const { address } = await serve(withToken(() => null));
  const error = await failureOf(read(connect(address, { requestTimeoutMs: 100 })));
  expect(error).toMatchObject({ reason: 'unavailable' });
  expect(error.message).toContain('gave no answer within 100 ms');
});

test('an abort ends the read at once with its reason, in a request, in a login and in the queue', async () => {
  const { address, seen } = await serve(({ path }) => (path.endsWith('/lookup-self') ? TOKEN_INFO : null));
  const client = connect(address, { requestTimeoutMs: 60_000 });
  const abort = new AbortController();
  const reads = Array.from({ length: 40 }, (_, i) => client.read([{ path: `app/${i}`, field: 'x' }], abort.signal).catch((error: unknown) => error));
  await expect.poll(() => seen.filter(({ path }) => path.includes('/data/')).length).toBe(16);
  const why = new Error('the run was cancelled');
  abort.abort(why);
  expect(new Set(await Promise.all(reads))).toEqual(new Set([why]));

  const silent = await serve(() => null);
  const waiting = new AbortController();
  const login = read(connect(silent.address, { requestTimeoutMs: 60_000 }), waiting.signal).catch((error: unknown) => error);
  await expect.poll(() => silent.seen.length).toBe(1);
  waiting.abort(why);
  expect(await login).toBe(why);
});

test('one who gives up does not take the login from those who wait for it too', async () => {
  let letIn: (() => void) | undefined;
  const { address, seen } = await serve(() => SECRET);
  const auth = { method: 'token', token: { env: 'T' } } as const;
  const gate = new Promise<void>((resolve) => (letIn = resolve));
  const manager: SecretManager = { kind: 'vault', address, mount: 'secret', kv: 2, auth };
  const client = createVaultClient({ name: 'vault', manager }, async () => gate.then(() => 'the-token'));
  closing.push(() => client.close());
  const abort = new AbortController();
  const impatient = read(client, abort.signal).catch((error: unknown) => error);
  const patient = read(client);
  abort.abort(new Error('enough'));
  expect(await impatient).toMatchObject({ message: 'enough' });
  letIn?.();
  expect(await patient).toBe('hunter2');
  expect(seen).toHaveLength(2);
});

test('closing ends what is under way', async () => {
  const { address, seen } = await serve(withToken(() => null));
  const client = connect(address, { requestTimeoutMs: 60_000 });
  const reading = failureOf(read(client));
  await expect.poll(() => seen.length).toBe(2);
  await client.close();
  expect(await reading).toMatchObject({ reason: 'unavailable' });
});

test('nobody there is unavailable', async () => {
  const error = await failureOf(read(connect('http://127.0.0.1:1')));
  expect(error.message).toBe('secret manager vault: http://127.0.0.1:1 is not reachable (ECONNREFUSED)');
  expect(error.retryable).toBe(true);
});

test('a certificate is checked against the authority and the name of the bundle, and an unknown one gets no token', async () => {
  const certificates = await makeCertificates();
  closing.push(() => certificates.remove());
  const [key, cert, ca] = await Promise.all([certificates.server.key, certificates.server.cert, certificates.ca].map(async (path) => readFile(path, 'utf8')));
  const { address, seen } = await serve(
    withToken(() => SECRET),
    { key: key ?? '', cert: cert ?? '' },
  );
  const error = await failureOf(read(connect(address)));
  expect(error).toMatchObject({ reason: 'rejected' });
  expect(error.message).toMatch(/the TLS connection to https:\/\/127\.0\.0\.1:\d+ failed \([A-Z_]+\); check address and tls/);
  const wrongName = connect(address, { tls: { ca: { env: 'CA' }, servername: 'other.test' } }, { CA: ca ?? '' });
  expect(await failureOf(read(wrongName))).toMatchObject({ reason: 'rejected' });
  expect(seen).toEqual([]);
  expect(await read(connect(address, { tls: { ca: { env: 'CA' }, servername: 'redis.test' } }, { CA: ca ?? '' }))).toBe('hunter2');
});

test('what turns certificate checks off or sets a token in the environment of other clients changes nothing', async () => {
  const before = { ...process.env };
  Object.assign(process.env, { VAULT_TOKEN: 'from-env', VAULT_ADDR: 'http://127.0.0.1:1', VAULT_NAMESPACE: 'env', VAULT_SKIP_VERIFY: '1' });
  closing.push(async () => (process.env = before));
  const { address, seen } = await serve(withToken(() => SECRET));
  expect(await read(connect(address))).toBe('hunter2');
  expect(new Set(seen.map(({ headers }) => `${headers['x-vault-token'] as string} ${headers['x-vault-namespace'] as string}`))).toEqual(
    new Set(['the-token undefined']),
  );
});
