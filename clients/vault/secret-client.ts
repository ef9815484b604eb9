import type { SecretText } from '../../domain/secret-text.ts';

/** One field of a secret. */
export interface SecretAddress {
  /** Below the mount of the manager, without slashes at its ends: `app/db`. */
  readonly path: string;
  /** Name of the field, taken literally. */
  readonly field: string;
  /** Version of the KV v2 engine; absent: the newest. KV v1 has no versions and refuses one. */
  readonly version?: number;
}

/** What is known of a secret without its value. */
export interface SecretDescription {
  /** The version that stands now, or the one asked for; null for KV v1. Reading with it later gives the same value. */
  readonly version: number | null;
}

/**
 * One secret manager of a tenant, safe for concurrent use; logs in on first use. Every method answers in the order of the addresses, makes one request
 * for each distinct path and version, and throws SecretError; the signal's own reason if it was aborted. None of them keeps a value.
 */
export interface SecretManagerClient {
  /** Makes sure that each secret exists, has the field and may be read, and gives its version. */
  describe(addresses: readonly SecretAddress[], signal: AbortSignal): Promise<readonly SecretDescription[]>;
  /** The values. A field that is a number, a boolean or a structure is given as JSON text. */
  read(addresses: readonly SecretAddress[], signal: AbortSignal): Promise<readonly SecretText[]>;
  /** Ends what is under way and forgets the login. */
  close(): Promise<void>;
}
