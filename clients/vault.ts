import { SecretText } from '../domain/secret-text.ts';
import type { ResolveCredential } from '../sinks/sink.ts';
import { createVaultHttp, type VaultPlace } from './vault/http.ts';
import { deniedError, parseSecret, requestPath, type KvAddress, type KvSecret } from './vault/kv.ts';
import type { SecretAddress, SecretManagerClient } from './vault/secret-client.ts';
import { SecretError } from './vault/secret-error.ts';
import { createVaultSession } from './vault/session.ts';

/** A secret manager of kind `vault`: one key-value engine of a HashiCorp Vault or OpenBao. Connects on first use. */
export function createVaultClient(vault: VaultPlace, resolve: ResolveCredential): SecretManagerClient {
  const http = createVaultHttp(vault, resolve);
  const session = createVaultSession(vault, http, resolve);

  async function fetchSecret(address: KvAddress, signal: AbortSignal): Promise<KvSecret> {
    const path = requestPath(vault, address);
    for (let attempt = 1; ; attempt += 1) {
      const token = await session.token(signal);
      const answer = await http.send({ method: 'GET', path, token }, signal);
      if (answer.status !== 403) return parseSecret(vault, address, answer);
      const why = attempt > 1 ? 'denied' : await session.forbidden(token, signal);
      if (why === 'dead')
        throw new SecretError('unauthorized', { manager: vault.name }, 'the token is expired or revoked; put a new one where auth.token refers to');
      if (why === 'denied') throw deniedError(vault, address);
    }
  }

  /** One request for each distinct path and version; `take` is called with the field's value for each address. */
  async function each<T>(addresses: readonly SecretAddress[], signal: AbortSignal, take: (value: unknown, secret: KvSecret) => T): Promise<T[]> {
    signal.throwIfAborted();
    const groups = Map.groupBy(addresses.entries(), ([, { path, version }]) => JSON.stringify([path, version]));
    const results: T[] = [];
    /** By the index of the address; -1 is what holds for all. */
    const failed = new Map<number, SecretError>();
    const stopping = new AbortController();
    const within = AbortSignal.any([signal, stopping.signal]);

    async function readGroup(group: readonly (readonly [number, SecretAddress])[]): Promise<void> {
      const [[, { path, version }]] = group as [readonly [number, SecretAddress]];
      const pinned = version === undefined ? { path } : { path, version };
      try {
        const secret = await fetchSecret(pinned, within);
        for (const [index, address] of group) {
          const value = Object.hasOwn(secret.fields, address.field) ? secret.fields[address.field] : null;
          if (value === null || value === undefined) failed.set(index, fieldError(vault, address, secret));
          else results[index] = take(value, secret);
        }
      } catch (error) {
        if (stopping.signal.aborted && !signal.aborted) return;
        if (!(error instanceof SecretError)) throw error;
        // Of what concerns a path alone, the other paths' failures are told as well; what concerns the server would only be met again by each.
        if (error.address === undefined) {
          stopping.abort();
          failed.set(-1, error);
        } else for (const [index, address] of group) failed.set(index, error.at(address));
      }
    }

    await Promise.all([...groups.values()].map(readGroup));
    const failures = [...failed].toSorted(([a], [b]) => a - b).map(([, error]) => error);
    const [first] = failures;
    if (!first) return results;
    first.all = failures;
    throw first;
  }

  return {
    describe: (addresses, signal) => each(addresses, signal, (_value, { version }) => ({ version })),
    read: (addresses, signal) => each(addresses, signal, (value) => new SecretText(typeof value === 'string' ? value : JSON.stringify(value))),
    close: async () => {
      await session.close();
      await http.close();
    },
  };
}

function fieldError({ name }: VaultPlace, address: SecretAddress, { version }: KvSecret): SecretError {
  const where = version === null ? 'it' : `version ${version}`;
  return new SecretError('missing', { manager: name, address }, `${where} has no field ${address.field}; add it, or correct the reference`);
}
