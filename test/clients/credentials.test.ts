import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCredentialResolver, createCredentials, CredentialError, type Credentials } from '../../clients/credentials.ts';
import type { Bundle, SecretManager } from '../../domain/bundle.ts';
import { startVault, type VaultServer } from '../servers/vault.ts';

describe('credentials', () => {
  let directory: string;
  let resolve: ReturnType<typeof createCredentialResolver>;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'credentials-'));
    resolve = createCredentialResolver({ env: { TOKEN: 'abc', EMPTY: '' }, baseDirectory: directory });
  });

  afterAll(async () => {
    await rm(directory, { recursive: true });
  });

  test('come from the environment', async () => {
    await expect(resolve({ env: 'TOKEN' })).resolves.toBe('abc');
  });

  test.each(['NOT_THERE', 'EMPTY', 'toString'])('name the variable %s that has none', async (env) => {
    await expect(resolve({ env })).rejects.toThrow(CredentialError);
    await expect(resolve({ env })).rejects.toMatchObject({ retryable: false });
    await expect(resolve({ env })).rejects.toThrow(env);
  });

  test('come from a file beside the bundle, without its last line break, and are read anew', async () => {
    await writeFile(join(directory, 'key'), 'line 1\nline 2\n');
    await expect(resolve({ file: 'key' })).resolves.toBe('line 1\nline 2');
    await writeFile(join(directory, 'key'), 'rotated\r\n');
    await expect(resolve({ file: join(directory, 'key') })).resolves.toBe('rotated');
  });

  test('name the file that is not there, is no file or is empty', async () => {
    await writeFile(join(directory, 'empty'), '\n');
    await expect(resolve({ file: 'absent' })).rejects.toThrow(`${join(directory, 'absent')} cannot be read (ENOENT)`);
    await expect(resolve({ file: 'absent' })).rejects.toMatchObject({ retryable: true });
    await expect(resolve({ file: '.' })).rejects.toThrow('EISDIR');
    await expect(resolve({ file: 'empty' })).rejects.toThrow('is empty');
  });

  test('do not come from Vault where nobody says whose they are', async () => {
    await expect(resolve({ vault: 'vault:a#b' })).rejects.toThrow('belongs to no tenant');
  });
});

describe('credentials of Vault', () => {
  let vault: VaultServer;
  let credentials: Credentials;
  const reference = { vault: 'vault:app/sinks#password', tenant: 'acme' };

  beforeAll(async () => {
    vault = await startVault();
    await vault.readPolicy('app', 'app/*');
    const env = { TOKEN: await vault.token({ policies: ['app'] }) };
    await vault.put('app/second', { token: env.TOKEN });
    const manager = { kind: 'vault', address: vault.address, mount: 'secret', kv: 2 } as const;
    const secretManagers = {
      vault: { ...manager, auth: { method: 'token', token: { env: 'TOKEN' } } },
      second: { ...manager, auth: { method: 'token', token: { vault: 'vault:app/second#token', tenant: 'acme' } } },
    } satisfies Record<string, SecretManager>;
    const tenant = { repositories: {}, sinks: {}, rules: {} };
    const bundle: Bundle = {
      settings: { allowFileRepositories: false },
      tenants: { acme: { ...tenant, secretManagers }, other: { ...tenant, secretManagers: {} } },
    };
    credentials = createCredentials({ env, baseDirectory: '/' }, () => bundle);
  });

  afterAll(async () => {
    await credentials.close();
    await vault.stop();
  });

  test('are remembered for a while, and read anew for those whose last one was refused', async () => {
    await vault.put('app/sinks', { password: 'first' });
    await expect(credentials.resolve(reference)).resolves.toBe('first');
    await vault.put('app/sinks', { password: 'second' });
    await expect(credentials.resolve(reference)).resolves.toBe('first');
    await expect(credentials.resolve(reference, { notBefore: Date.now() + 1 })).resolves.toBe('second');
    await expect(credentials.resolve(reference)).resolves.toBe('second');
  });

  test('open another manager', async () => {
    await vault.put('app/other', { password: 'p' });
    await expect(credentials.resolve({ vault: 'second:app/other#password', tenant: 'acme' })).resolves.toBe('p');
  });

  test('of one tenant are no other’s', async () => {
    await expect(credentials.resolve({ ...reference, tenant: 'other' })).rejects.toThrow('tenant other has no secret manager of this name');
  });

  test('name what is missing or empty or not allowed, as an error of the credential', async () => {
    await vault.put('app/empty', { password: '' });
    await expect(credentials.resolve({ ...reference, vault: 'vault:app/absent#x' })).rejects.toThrow(CredentialError);
    await expect(credentials.resolve({ ...reference, vault: 'vault:app/absent#x' })).rejects.toThrow('app/absent#x: no such secret');
    await expect(credentials.resolve({ ...reference, vault: 'vault:app/absent#x' })).rejects.toMatchObject({ retryable: false });
    await expect(credentials.resolve({ ...reference, vault: 'vault:app/empty#password' })).rejects.toThrow('the credential is empty');
    await expect(credentials.resolve({ ...reference, vault: 'vault:elsewhere#x' })).rejects.toThrow('its policy lacks: path "secret/data/elsewhere"');
  });

  test('cannot be had while Vault is down, which is worth a retry, and are not remembered as missing', async () => {
    await vault.put('app/late', { password: 'p' });
    await vault.outage.begin();
    const late = { ...reference, vault: 'vault:app/late#password' };
    await expect(credentials.resolve(late)).rejects.toMatchObject({ name: 'SecretError', retryable: true });
    await vault.outage.end();
    // The dev server forgot everything, the token too.
    await expect(credentials.resolve(late)).rejects.toThrow('the token is expired or revoked');
  });
});
