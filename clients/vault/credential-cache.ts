import type { SecretText } from '../../domain/secret-text.ts';
import { parseVaultReference } from '../../domain/vault-references.ts';
import type { SecretManagers } from './managers.ts';
import { SecretError } from './secret-error.ts';

/** Reads the credential that a tenant's manager holds, if what is remembered of it was read before `notBefore` (of `Date.now`). */
export type ReadVaultCredential = (tenant: string, reference: string, notBefore: number) => Promise<string>;

/** A rotated credential is picked up that soon where nobody says that the old one was refused. */
export const REMEMBERED_FOR_MS = 60_000;
/** A login, a renewed one and the read, each with its retries. */
const READ_WITHIN_MS = 30_000;

interface Remembered {
  readonly value: Promise<SecretText>;
  readonly atMs: number;
}

/** Each credential is read once for all who ask at the same time. Throws SecretError. */
export function createCredentialCache(managers: SecretManagers, now: () => number = Date.now): ReadVaultCredential {
  const remembered = new Map<string, Remembered>();

  function forgetOld(): void {
    for (const [key, { atMs }] of remembered) if (atMs <= now() - REMEMBERED_FOR_MS) remembered.delete(key);
  }

  async function read(tenant: string, reference: string): Promise<SecretText> {
    const address = parseVaultReference(reference);
    if (!address) throw new SecretError('rejected', { manager: reference }, 'the reference is none; write manager:path#field');
    const [value] = await managers
      .get(tenant, address.manager)
      .read([address], AbortSignal.timeout(READ_WITHIN_MS))
      .catch((error: unknown) => {
        if (error instanceof SecretError) throw error;
        throw new SecretError('unavailable', { manager: address.manager, address }, `no answer within ${READ_WITHIN_MS / 1_000} s`);
      });
    if (!value || value.reveal() === '') throw new SecretError('missing', { manager: address.manager, address }, 'the credential is empty');
    return value;
  }

  return async (tenant, reference, notBefore) => {
    const key = `${tenant} ${reference}`;
    forgetOld();
    const known = remembered.get(key);
    if (known && known.atMs >= notBefore) return (await known.value).reveal();
    const mine: Remembered = { value: read(tenant, reference), atMs: now() };
    remembered.set(key, mine);
    try {
      return (await mine.value).reveal();
    } catch (error) {
      // Who asked for a newer one does not take the last one from all others.
      if (remembered.get(key) === mine && known) remembered.set(key, known);
      else if (remembered.get(key) === mine) remembered.delete(key);
      throw error;
    }
  };
}
