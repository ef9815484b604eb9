import type { SecretAddress } from './secret-client.ts';

/**
 * - `unavailable`: not reachable, sealed, a standby without a leader, or no answer in time; later it may work.
 * - `throttled`: over a quota; later it works.
 * - `unauthorized`: the login or the policy does not allow it; a person has to act.
 * - `missing`: no such secret, version or field, or it is deleted.
 * - `rejected`: the server does not understand the request, or is none that we know.
 */
export type SecretErrorReason = 'unavailable' | 'throttled' | 'unauthorized' | 'missing' | 'rejected';

/** Where it happened: the manager by its name in the bundle, and the secret if one was asked for. */
export interface SecretErrorPlace {
  readonly manager: string;
  readonly address?: Partial<SecretAddress>;
}

/** Why a secret could not be had. The message names manager, path and field, and what to do; never a value, a token or a credential. */
export class SecretError extends Error {
  override readonly name = 'SecretError';
  readonly reason: SecretErrorReason;
  readonly manager: string;
  readonly address: Partial<SecretAddress> | undefined;
  /** The message without its place. */
  readonly detail: string;
  /** Every failure of the call that threw this one, itself included: what a person mends in one round. */
  all: readonly SecretError[] = [this];

  constructor(reason: SecretErrorReason, place: SecretErrorPlace, message: string, options?: ErrorOptions) {
    super(`secret manager ${place.manager}${nameOf(place.address)}: ${message}`, options);
    this.reason = reason;
    this.manager = place.manager;
    this.address = place.address;
    this.detail = message;
    // Errors are printed with their own fields; this one would show itself.
    Object.defineProperty(this, 'all', { enumerable: false });
  }

  /** The same, told of one of the addresses that it holds for. */
  at(address: Partial<SecretAddress>): SecretError {
    return new SecretError(this.reason, { manager: this.manager, address }, this.detail, this.cause === undefined ? {} : { cause: this.cause });
  }

  /** Whether the same request may succeed later without anyone acting. */
  get retryable(): boolean {
    return this.reason === 'unavailable' || this.reason === 'throttled';
  }
}

function nameOf(address: Partial<SecretAddress> | undefined): string {
  if (address?.path === undefined) return '';
  const version = address.version === undefined ? '' : `?version=${address.version}`;
  return `, ${address.path}${address.field === undefined ? '' : `#${address.field}`}${version}`;
}
