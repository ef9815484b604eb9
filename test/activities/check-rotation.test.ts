import { describe, expect, it } from 'vitest';
import type { Checked } from '../../activities/check-target.ts';
import { checkRotation } from '../../activities/check-rotation.ts';
import type { SecretManagers } from '../../clients/vault/managers.ts';
import type { SecretAddress } from '../../clients/vault/secret-client.ts';
import { SecretError } from '../../clients/vault/secret-error.ts';
import type { CheckedTarget } from '../../domain/drift.ts';

const { signal } = new AbortController();

/** Versions by path; an error for a path that cannot be described. A value that is asked for fails the test. */
function managers(versions: Readonly<Record<string, number | null>>, asked: SecretAddress[] = []): SecretManagers {
  return {
    get: () => ({
      async describe(addresses) {
        asked.push(...addresses);
        return addresses.map((address) => {
          const version = versions[address.path];
          if (version === undefined) throw new SecretError('unavailable', { manager: 'vault', address }, 'vault is sealed');
          return { version };
        });
      },
      read: () => Promise.reject(new Error('a check read a value')),
      close: async () => undefined,
    }),
    close: async () => undefined,
  };
}

function checked(id: string, paths: readonly string[], commit: string | null = 'c'): Checked {
  const target = {
    id,
    status: commit === null ? 'Unknown' : 'InSync',
    keys: [{ key: 'k' }],
    ...(commit !== null && { commit }),
  } as unknown as CheckedTarget;
  return { target, secrets: paths.map((path) => ({ manager: 'vault', path, field: 'password' })) };
}

const ids = (targets: readonly CheckedTarget[]): string[] => targets.map(({ id }) => id);

describe('the rotation of secrets', () => {
  it('is told once a newer version is there, with every target that holds the secret, by one request for each path', async () => {
    const asked: SecretAddress[] = [];
    const all = [checked('a/p/0', ['app', 'db']), checked('a/p/1', ['app'])];
    const { rotated, versions, problems } = await checkRotation(
      { secrets: managers({ app: 3, db: 1 }, asked) },
      'acme',
      all,
      { 'vault:app': 2, 'vault:db': 1 },
      signal,
    );
    expect(rotated.map(({ secret, version, targets }) => [secret, version, ids(targets)])).toEqual([['vault:app', 3, ['a/p/0', 'a/p/1']]]);
    expect({ versions, problems }).toEqual({ versions: { 'vault:app': 3, 'vault:db': 1 }, problems: [] });
    expect(asked.map(({ path }) => path).toSorted()).toEqual(['app', 'db']);
  });

  it('is told of a secret that is seen for the first time, which may have been rotated since it was written, and never where the engine keeps no versions', async () => {
    const result = await checkRotation({ secrets: managers({ app: 3, plain: null }) }, 'acme', [checked('a/p/0', ['app', 'plain'])], {}, signal);
    expect(result).toMatchObject({ rotated: [{ secret: 'vault:app', version: 3 }], versions: { 'vault:app': 3 }, problems: [] });
  });

  it('is told again while the run that was to write it has failed', async () => {
    const failed: Checked = { ...checked('a/p/0', ['app']), hasFailedRotation: true };
    const { rotated } = await checkRotation(
      { secrets: managers({ app: 3, db: 1 }) },
      'acme',
      [failed, checked('a/p/1', ['db'])],
      { 'vault:app': 3, 'vault:db': 1 },
      signal,
    );
    expect(rotated).toMatchObject([{ secret: 'vault:app', version: 3, again: true }]);
  });

  it('stays untold for the rest until every target can be told, so that none is forgotten', async () => {
    const all = [checked('a/p/0', ['app']), checked('a/p/1', ['app'], null)];
    const { rotated, versions } = await checkRotation({ secrets: managers({ app: 3 }) }, 'acme', all, { 'vault:app': 2 }, signal);
    expect(rotated).toHaveLength(1);
    expect(versions).toEqual({});
  });

  it('is a problem to tell and nothing else where the manager does not answer', async () => {
    const result = await checkRotation(
      { secrets: managers({ app: 3 }) },
      'acme',
      [checked('a/p/0', ['app', 'sealed'])],
      { 'vault:app': 3, 'vault:sealed': 1 },
      signal,
    );
    expect(result).toEqual({ rotated: [], versions: { 'vault:app': 3 }, problems: [expect.stringContaining('vault is sealed')] });
  });
});
