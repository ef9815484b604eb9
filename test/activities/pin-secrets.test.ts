import { describe, expect, it } from 'vitest';
import { pinSecrets } from '../../activities/pin-secrets.ts';
import { resolveSecrets } from '../../activities/resolve-secrets.ts';
import type { RuleState } from '../../activities/stream-state.ts';
import type { SecretManagers } from '../../clients/vault/managers.ts';
import type { SecretAddress, SecretManagerClient } from '../../clients/vault/secret-client.ts';
import { SecretError } from '../../clients/vault/secret-error.ts';
import type { LocatedSecret } from '../../domain/find-secrets.ts';
import { formatProblem, InvalidInput } from '../../domain/problem.ts';
import { SecretText } from '../../domain/secret-text.ts';

const signal = new AbortController().signal;

/** A manager that has these versions of a path's fields, the newest last. */
function managersWith(paths: Record<string, readonly Record<string, string>[]>, asked: SecretAddress[] = []): SecretManagers {
  function versionOf(address: SecretAddress): number {
    const versions = paths[address.path];
    const version = address.version ?? versions?.length ?? 0;
    if (versions?.[version - 1]?.[address.field] === undefined) throw new SecretError('missing', { manager: 'vault', address }, 'no such secret');
    return version;
  }
  function all<T>(addresses: readonly SecretAddress[], take: (address: SecretAddress) => T): T[] {
    asked.push(...addresses);
    const errors: SecretError[] = [];
    const found = addresses.flatMap((address) => {
      try {
        return [take(address)];
      } catch (error) {
        errors.push(error as SecretError);
        return [];
      }
    });
    const [first] = errors;
    if (first) throw Object.assign(first, { all: errors });
    return found;
  }
  const client: SecretManagerClient = {
    describe: async (addresses) => all(addresses, (address) => ({ version: versionOf(address) })),
    read: async (addresses) => all(addresses, (address) => new SecretText(paths[address.path]?.[versionOf(address) - 1]?.[address.field] ?? '')),
    close: async () => undefined,
  };
  return { get: () => client, close: async () => undefined };
}

function located(path: string, field: string, line: number, version?: number): LocatedSecret {
  return { manager: 'vault', path, field, key: `k${line}`, origin: { file: 'a.yaml', line, column: 4 }, ...(version !== undefined && { version }) };
}

function ruleWith(...secrets: LocatedSecret[]): RuleState {
  return { name: 'settings', secrets, targets: [{}, {}] } as unknown as RuleState;
}

describe('the secrets of a run', () => {
  it('are pinned by path, each once, and asked for once', async () => {
    const asked: SecretAddress[] = [];
    const rule = ruleWith(located('a', 'x', 1), located('a', 'y', 2), located('a', 'x', 3), located('a', 'x', 4, 1));
    const pins = await pinSecrets(managersWith({ a: [{ x: 'old' }, { x: 'new', y: 'y' }] }, asked), 'acme', [rule], signal);
    expect(pins.get(rule)).toEqual([
      { manager: 'vault', path: 'a', fields: ['x', 'y'], version: 2 },
      { manager: 'vault', path: 'a', fields: ['x'], version: 1, asked: true },
    ]);
    expect(asked).toHaveLength(3);
  });

  it('that are missing are each told where they stand', async () => {
    const rule = ruleWith(located('a', 'x', 1), located('b', 'x', 2), located('a', 'z', 3), located('a', 'z', 4, 1));
    const error: unknown = await pinSecrets(managersWith({ a: [{ x: 'v', z: 'old' }, { x: 'v' }] }), 'acme', [rule], signal).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InvalidInput);
    expect((error as InvalidInput).problems.map(formatProblem)).toEqual([
      'rule settings: a.yaml:2:4 k2: secret manager vault, b#x: no such secret',
      'rule settings: a.yaml:3:4 k3: secret manager vault, a#z: no such secret',
    ]);
  });

  it('are asked for again where the manager is away', async () => {
    const away = { describe: () => Promise.reject(new SecretError('unavailable', { manager: 'vault' }, 'no answer')) } as unknown as SecretManagerClient;
    const pinning = pinSecrets({ get: () => away, close: async () => undefined }, 'acme', [ruleWith(located('a', 'x', 1))], signal);
    await expect(pinning).rejects.toMatchObject({ name: 'SecretError', reason: 'unavailable' });
  });

  it('are refused where their pins would not fit into the run', async () => {
    const rule = { ...ruleWith(...Array.from({ length: 400 }, (_, i) => located(`p${i}`, 'x', i))), targets: Array.from({ length: 100 }, () => ({})) };
    const managers = managersWith(Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`p${i}`, [{ x: 'v' }]])));
    await expect(pinSecrets(managers, 'acme', [rule as unknown as RuleState], signal)).rejects.toThrow(/too many secret references/);
  });

  it('have the values of the pinned versions, whatever is newer by now, and none once they were erased', async () => {
    const references = [located('a', 'x', 1), located('a', 'x', 2, 1)];
    const rule = ruleWith(...references);
    const pins = (await pinSecrets(managersWith({ a: [{ x: 'one' }, { x: 'two' }] }), 'acme', [rule], signal)).get(rule) ?? [];
    const later = managersWith({ a: [{ x: 'one' }, { x: 'two' }, { x: 'three' }] });
    const secrets = await resolveSecrets(later, 'acme', references, pins, signal);
    expect(secrets.secretOf({ path: 'a', field: 'x' })).toBe('two');
    expect(secrets.secretOf({ manager: 'vault', path: 'a', field: 'x', version: 1 })).toBe('one');
    expect(() => secrets.secretOf({ path: 'a', field: 'other' })).toThrow('not resolved');
    secrets.erase();
    expect(() => secrets.secretOf({ path: 'a', field: 'x' })).toThrow();
  });

  it('that the run was prepared without are never read', async () => {
    await expect(resolveSecrets(managersWith({ a: [{ x: 'one' }] }), 'acme', [located('a', 'x', 1)], [], signal)).rejects.toThrow(/prepared without/);
  });
});
