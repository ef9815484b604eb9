import { afterAll, beforeAll, expect, test } from 'vitest';

import { createVaultClient } from '../../clients/vault.ts';
import type { SecretAddress, SecretManagerClient } from '../../clients/vault/secret-client.ts';
import { SecretError } from '../../clients/vault/secret-error.ts';
import type { SecretManager } from '../../domain/bundle.ts';
import { startVault, type VaultServer } from '../servers/vault.ts';

let vault: VaultServer;
const opened: SecretManagerClient[] = [];

beforeAll(async () => {
  vault = await startVault();
});

afterAll(async () => {
  await Promise.all(opened.map((client) => client.close()));
  await vault.stop();
});

function connect(manager: Partial<SecretManager> = {}, credentials: Readonly<Record<string, string>> = {}): SecretManagerClient {
  const auth = { method: 'token', token: { env: 'TOKEN' } } as const;
  const client = createVaultClient(
    { name: 'vault', manager: { kind: 'vault', address: vault.address, mount: 'secret', kv: 2, auth, ...manager } },
    async (reference) => ({ TOKEN: vault.rootToken, ...credentials })['env' in reference ? reference.env : ''] ?? '',
  );
  opened.push(client);
  return client;
}

async function valuesOf(client: SecretManagerClient, ...addresses: readonly SecretAddress[]): Promise<string[]> {
  return (await client.read(addresses, AbortSignal.timeout(20_000))).map((secret) => secret.reveal());
}

async function failureOf(client: SecretManagerClient, ...addresses: readonly SecretAddress[]): Promise<SecretError> {
  const read = await client.read(addresses, AbortSignal.timeout(20_000)).catch((error: unknown) => error);
  const described = await client.describe(addresses, AbortSignal.timeout(20_000)).catch((error: unknown) => error);
  if (!(read instanceof SecretError) || !(described instanceof SecretError)) throw new Error('no SecretError', { cause: [read, described] });
  // Validation tells what the write would meet.
  expect(described.message).toBe(read.message);
  return read;
}

test('the newest version of a KV v2 secret is read, and told', async () => {
  await vault.put('app/db', { password: 'one' });
  await vault.put('app/db', { password: 'two', user: 'ann' });
  const client = connect();
  expect(await client.describe([{ path: 'app/db', field: 'user' }], AbortSignal.timeout(10_000))).toEqual([{ version: 2 }]);
  expect(await valuesOf(client, { path: 'app/db', field: 'user' }, { path: 'app/db', field: 'password' })).toEqual(['ann', 'two']);
});

test('a pinned version is read after there is a newer one, both in one call', async () => {
  const first = await vault.put('pinned', { key: 'old' });
  await vault.put('pinned', { key: 'new' });
  const addresses = [
    { path: 'pinned', field: 'key', version: first },
    { path: 'pinned', field: 'key' },
  ];
  expect(await valuesOf(connect(), ...addresses)).toEqual(['old', 'new']);
  expect(await connect().describe(addresses, AbortSignal.timeout(10_000))).toEqual([{ version: 1 }, { version: 2 }]);
});

test('KV v1 has values and no versions', async () => {
  const mount = await vault.mountKv(1);
  await vault.call('POST', `${mount}/app/db`, { password: 'v1' });
  const client = connect({ mount, kv: 1 });
  expect(await valuesOf(client, { path: 'app/db', field: 'password' })).toEqual(['v1']);
  expect(await client.describe([{ path: 'app/db', field: 'password' }], AbortSignal.timeout(10_000))).toEqual([{ version: null }]);
  expect(await failureOf(client, { path: 'app/db', field: 'password', version: 1 })).toMatchObject({ reason: 'rejected' });
  expect(await failureOf(client, { path: 'nothing', field: 'password' })).toMatchObject({ reason: 'missing' });
});

test.each(['', ' spaces ', 'line\r\nline\n', 'Ω🎉', '"quoted" \\ $HOME `x`', 'a: [b', '{"json": true}'])(
  'the text %j comes out as it went in',
  async (text) => {
    await vault.put('texts', { text });
    expect(await valuesOf(connect(), { path: 'texts', field: 'text' })).toEqual([text]);
  },
);

test('numbers, booleans and structures are given as JSON text without loss', async () => {
  // KV v2 rounds large numbers itself. The client of the test must not, either.
  const mount = await vault.mountKv(1);
  await fetch(`${vault.address}/v1/${mount}/typed`, {
    method: 'POST',
    headers: { 'x-vault-token': vault.rootToken },
    body: '{"port":5432,"big":12345678901234567890,"ratio":1.10,"on":true,"list":[1,{"deep":12345678901234567890}]}',
  });
  const fields = ['port', 'big', 'ratio', 'on', 'list'].map((field) => ({ path: 'typed', field }));
  expect(await valuesOf(connect({ mount, kv: 1 }), ...fields)).toEqual(['5432', '12345678901234567890', '1.10', 'true', '[1,{"deep":12345678901234567890}]']);
});

test('paths and fields may hold what a URL does not, and a field that objects inherit is none', async () => {
  await vault.put('a b/ü?x#y%2F', { 'odd.field#?': 'here' });
  expect(await valuesOf(connect(), { path: 'a b/ü?x#y%2F', field: 'odd.field#?' })).toEqual(['here']);
  expect(await failureOf(connect(), { path: 'a b/ü?x#y%2F', field: 'toString' })).toMatchObject({ reason: 'missing' });
});

test.each(['../sys/health', 'a/./b', 'a//b', '/a', 'a/', ''])('the path %j is refused before it is asked for', async (path) => {
  expect(await failureOf(connect(), { path, field: 'x' })).toMatchObject({ reason: 'rejected' });
});

test('what is missing is told by what it is: secret, field, version, deleted, destroyed, mount', async () => {
  for (const key of ['one', 'two', 'three']) await vault.put('gone', { key });
  await vault.call('POST', 'secret/delete/gone', { versions: [2] });
  await vault.call('POST', 'secret/destroy/gone', { versions: [1] });
  const client = connect();
  const told = async (address: Partial<SecretAddress>, manager = client): Promise<string> => {
    const error = await failureOf(manager, { path: 'gone', field: 'key', ...address });
    return `${error.reason}: ${error.message}`;
  };
  expect(await told({ path: 'never' })).toMatch(/^missing: secret manager vault, never#key: no such secret/);
  expect(await told({ field: 'nope' })).toMatch(/^missing: secret manager vault, gone#nope: version 3 has no field nope/);
  expect(await told({ version: 2 })).toMatch(/^missing: .*gone#key\?version=2: version 2 is deleted/);
  expect(await told({ version: 1 })).toMatch(/^missing: .*version 1 is destroyed/);
  expect(await told({ version: 9 })).toMatch(/^missing: .*not this version/);
  expect(await told({}, connect({ mount: 'nowhere' }))).toMatch(/^missing: .*no engine is mounted at nowhere/);
  expect(await told({}, connect({ kv: 1 }))).toMatch(/^missing: .*set kv: 2/);
  await vault.call('DELETE', 'secret/data/gone');
  expect(await told({})).toMatch(/^missing: .*version 3 is deleted/);
});

test('all that is wrong with the references of a call is told together', async () => {
  await vault.put('half', { there: 'yes' });
  const error = await failureOf(
    connect(),
    { path: 'half', field: 'there' },
    { path: 'half', field: 'a' },
    { path: 'absent', field: 'b' },
    { path: 'absent', field: 'c' },
  );
  expect(error.all.map(({ address }) => `${address?.path}#${address?.field}`).toSorted()).toEqual(['absent#b', 'absent#c', 'half#a']);
  expect(error.all).toContain(error);
});

test('an error holds no value and no token, however it is looked at', async () => {
  const { inspect } = await import('node:util');
  await vault.put('quiet', { there: 'hunter2' });
  const error = await failureOf(connect(), { path: 'quiet', field: 'absent' });
  const text = inspect(error, { depth: null, showHidden: true }) + JSON.stringify(error) + inspect(connect(), { depth: null, showHidden: true });
  expect(text).not.toContain('hunter2');
  expect(text).not.toContain(vault.rootToken);
});
