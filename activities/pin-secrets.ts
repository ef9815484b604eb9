import type { SecretAddress } from '../clients/vault/secret-client.ts';
import { SecretError } from '../clients/vault/secret-error.ts';
import type { SecretManagers } from '../clients/vault/managers.ts';
import type { LocatedSecret } from '../domain/find-secrets.ts';
import { InvalidInput, type Problem } from '../domain/problem.ts';
import type { PinnedSecret } from './activity-types.ts';
import type { RuleState } from './stream-state.ts';

/** A run's result has to stay far below Temporal's 2 MiB, and each target carries its own pins. */
const MAX_PIN_CHARACTERS = 700_000;
/** Each is a request. */
const MAX_PATHS = 1_000;

/**
 * Makes sure that every secret of a stream is there and may be read, and says for each rule which version its writes are to take: all of one path the
 * same one. Throws InvalidInput with every reference that cannot be had, and SecretError for what may pass.
 */
export async function pinSecrets(
  secrets: SecretManagers,
  tenant: string,
  rules: readonly RuleState[],
  signal: AbortSignal,
): Promise<ReadonlyMap<RuleState, readonly PinnedSecret[]>> {
  const all = rules.flatMap((rule) => rule.secrets.map((secret) => ({ ...secret, rule: rule.name })));
  const paths = new Set(all.map(pinOf)).size;
  if (paths > MAX_PATHS) {
    throw new InvalidInput([
      { message: `it refers to ${paths} paths of secret managers, and a run may to ${MAX_PATHS}; put what belongs together into one path` },
    ]);
  }
  const versions = new Map<string, number | null>();
  const errors: SecretError[] = [];
  await Promise.all(
    [...Map.groupBy(all, ({ manager }) => manager)].map(async ([manager, references]) => {
      const addresses = [...new Map(references.map((reference) => [idOf(reference), reference])).values()];
      try {
        const described = await secrets.get(tenant, manager).describe(addresses.map(addressOf), signal);
        for (const [index, address] of addresses.entries()) versions.set(pinOf(address), described[index]?.version ?? null);
      } catch (error) {
        if (!(error instanceof SecretError)) throw error;
        errors.push(...error.all);
      }
    }),
  );
  const final = errors.filter((error) => !error.retryable);
  if (final.length > 0) throw new InvalidInput(final.flatMap((error) => problemsOf(error, all)));
  const [passing] = errors;
  if (passing) throw passing;

  const pins = new Map(rules.map((rule) => [rule, pinsOf(rule.secrets, versions)]));
  const characters = rules.reduce((sum, rule) => sum + rule.targets.length * JSON.stringify(pins.get(rule)).length, 0);
  if (characters > MAX_PIN_CHARACTERS) {
    throw new InvalidInput([
      { message: 'it has too many secret references for its number of targets; put what belongs together into one path, or split the rule' },
    ]);
  }
  return pins;
}

function pinsOf(references: readonly LocatedSecret[], versions: ReadonlyMap<string, number | null>): PinnedSecret[] {
  return [...Map.groupBy(references, pinOf)].flatMap(([pin, [first, ...others]]): PinnedSecret[] => {
    if (!first) return [];
    const { manager, path } = first;
    const fields = [...new Set([first, ...others].map(({ field }) => field))];
    return [{ manager, path, fields, version: versions.get(pin) ?? null, ...(first.version !== undefined && { asked: true }) }];
  });
}

/** All references with the same one take the same version. */
function pinOf({ manager, path, version }: LocatedSecret): string {
  return JSON.stringify([manager, path, version ?? null]);
}

function idOf({ manager, path, field, version }: LocatedSecret): string {
  return JSON.stringify([manager, path, field, version ?? null]);
}

function addressOf({ path, field, version }: LocatedSecret): SecretAddress {
  return { path, field, ...(version !== undefined && { version }) };
}

/** The error at each reference that it is about; the manager as a whole is told once. */
function problemsOf(error: SecretError, all: readonly (LocatedSecret & { readonly rule: string })[]): Problem[] {
  const { address } = error;
  const told = all.filter(
    ({ manager, path, field, version }) =>
      manager === error.manager &&
      address !== undefined &&
      path === address.path &&
      (address.field === undefined || (field === address.field && version === address.version)),
  );
  if (told.length === 0) return [{ message: error.message }];
  return told.map(({ rule, key, origin }) => ({ rule, key, origin, message: error.message }));
}
