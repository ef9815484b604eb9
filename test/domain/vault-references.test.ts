import { expect, test } from 'vitest';

import type { Bundle, SecretManager } from '../../domain/bundle.ts';
import { bindVaultReferences, parseVaultReference, vaultReferenceProblems } from '../../domain/vault-references.ts';

function manager(token: { readonly env: string } | { readonly vault: string }): SecretManager {
  return { kind: 'vault', address: 'https://vault', mount: 'secret', kv: 2, auth: { method: 'token', token } };
}

function bundleWith(secretManagers: Record<string, SecretManager>, options: unknown = {}): Bundle {
  const acme = { repositories: {}, rules: {}, secretManagers, sinks: { cache: { kind: 'redis', options } } };
  return { settings: { allowFileRepositories: false }, tenants: { acme } };
}

test.each([
  ['vault:app/db#password', { manager: 'vault', path: 'app/db', field: 'password' }],
  ['a-1:x#y#z', { manager: 'a-1', path: 'x', field: 'y#z' }],
  ['vault:app/db', null],
  ['app/db#password', null],
  ['vault:#x', null],
])('%s names %j', (text, parts) => {
  expect(parseVaultReference(text)).toEqual(parts);
});

test('every reference of a tenant gets its name, and nothing else changes', () => {
  const pattern = /x/;
  const options = { password: { vault: 'vault:a#b' }, nodes: [{ token: { vault: 'vault:c#d' } }], labels: { vault: 'true' }, pattern, vault: { vault: 'no' } };
  const bundle = bundleWith({ vault: manager({ env: 'T' }) }, options);
  const acme = bindVaultReferences(bundle).tenants['acme'];
  expect(acme?.sinks['cache']?.options).toEqual({
    ...options,
    password: { vault: 'vault:a#b', tenant: 'acme' },
    nodes: [{ token: { vault: 'vault:c#d', tenant: 'acme' } }],
  });
  expect(acme?.sinks['cache']?.options).toHaveProperty('pattern', pattern);
  expect(acme?.secretManagers).toEqual(bundle.tenants['acme']?.secretManagers);
});

test('a chain of managers is fine, and a ring is refused at each of its links', () => {
  const chain = bundleWith({ a: manager({ vault: 'b:x#t' }), b: manager({ vault: 'c:x#t' }), c: manager({ env: 'T' }) });
  expect(vaultReferenceProblems(chain)).toEqual([]);
  const ring = bundleWith({ a: manager({ vault: 'b:x#t' }), b: manager({ vault: 'c:x#t' }), c: manager({ vault: 'b:x#t' }) });
  expect(vaultReferenceProblems(ring).map(({ key, message }) => `${key} ${message}`)).toEqual([
    'tenants.acme.secretManagers.b.auth.token is held by c, whose own login needs b; write { env: NAME } or { file: path }',
    'tenants.acme.secretManagers.c.auth.token is held by b, whose own login needs c; write { env: NAME } or { file: path }',
  ]);
});

test('the settings of the deployment belong to no tenant and take no secret manager', () => {
  const bundle = bundleWith({ vault: manager({ env: 'T' }) });
  const problems = vaultReferenceProblems({ ...bundle, settings: { ...bundle.settings, fingerprintKey: { vault: 'vault:a#b' } } });
  expect(problems).toEqual([{ key: 'settings.fingerprintKey', message: expect.stringContaining('belongs to no tenant') }]);
});

test('a manager that objects inherit is none', () => {
  expect(vaultReferenceProblems(bundleWith({}, { password: { vault: 'constructor:a#b' } }))).toEqual([
    { key: 'tenants.acme.sinks.cache.password', message: expect.stringContaining('declare one in secretManagers') },
  ]);
});
