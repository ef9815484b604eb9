import type { SecretAddress } from '../clients/vault/secret-client.ts';
import type { SecretManagers } from '../clients/vault/managers.ts';
import type { LocatedSecret } from '../domain/find-secrets.ts';
import type { SecretReference } from '../domain/secret-reference.ts';
import { managerOf } from '../domain/find-secrets.ts';
import type { SecretText } from '../domain/secret-text.ts';
import type { PinnedSecret } from './activity-types.ts';

/** The values of a target's secrets, for as long as it is written. */
export interface ResolvedSecrets {
  /** Throws for a reference that was not asked for. */
  secretOf(reference: SecretReference): string;
  readonly values: readonly SecretText[];
  erase(): void;
}

/** Reads what the references mean, in the versions that the run was prepared with. Throws SecretError. */
export async function resolveSecrets(
  secrets: SecretManagers,
  tenant: string,
  references: readonly LocatedSecret[],
  pins: readonly PinnedSecret[],
  signal: AbortSignal,
): Promise<ResolvedSecrets> {
  const managers = [...new Set(references.map(({ manager }) => manager))];
  const known = new Map<string, SecretText>();
  await Promise.all(
    managers.map(async (manager) => {
      const own = [...new Map(references.filter((each) => each.manager === manager).map((each) => [idOf(manager, each), each])).entries()];
      const read = await secrets.get(tenant, manager).read(
        own.map(([, reference]) => addressOf(reference, pins)),
        signal,
      );
      for (const [index, [id]] of own.entries()) {
        const value = read[index];
        if (value) known.set(id, value);
      }
    }),
  );
  // The reference as a file has it names no manager where the tenant has only one.
  const sole = managers.length === 1 ? managers : [];
  return {
    secretOf(reference) {
      const manager = reference.manager ?? managerOf(reference, sole);
      const value = typeof manager === 'string' ? known.get(idOf(manager, reference)) : undefined;
      if (!value) throw new TypeError('a secret reference was not resolved');
      return value.reveal();
    },
    values: [...known.values()],
    erase() {
      for (const value of known.values()) value.erase();
      known.clear();
    },
  };
}

function idOf(manager: string, { path, field, version }: SecretReference): string {
  return JSON.stringify([manager, path, field, version ?? null]);
}

function addressOf({ manager, path, field, version }: LocatedSecret, pins: readonly PinnedSecret[]): SecretAddress {
  const isAsked = version !== undefined;
  const pin = pins.find(
    (each) =>
      each.manager === manager &&
      each.path === path &&
      each.fields.includes(field) &&
      (each.asked === true) === isAsked &&
      (!isAsked || each.version === version),
  );
  if (!pin) throw new TypeError(`the run was prepared without the secret ${manager}:${path}#${field}`);
  return { path, field, ...(pin.version !== null && { version: pin.version }) };
}
