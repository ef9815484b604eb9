import type { VaultPlace } from './http.ts';
import { SecretError } from './secret-error.ts';

/** Why there was no answer, by its code alone: the library's error may hold the request. */
export function connectionError({ name, manager }: VaultPlace, error: unknown, timeoutMs: number): SecretError {
  if (error instanceof SecretError) return error;
  const place = { manager: name };
  const { address } = manager;
  const code = codeOf(error);
  if (/EXCEEDED_MAX_SIZE/.test(code)) return new SecretError('rejected', place, `${address} answers with more than a secret can hold; check address`);
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO|EPROTO/.test(code))
    return new SecretError('rejected', place, `the TLS connection to ${address} failed (${code}); check address and tls`);
  if (/TIMEOUT|TIMEDOUT/.test(code) || (error instanceof Error && error.name === 'TimeoutError'))
    return new SecretError('unavailable', place, `${address} gave no answer within ${timeoutMs} ms`);
  return new SecretError('unavailable', place, `${address} is not reachable (${code || 'connection lost'})`);
}

function codeOf(error: unknown): string {
  const { code, cause } = (typeof error === 'object' && error !== null ? error : {}) as { readonly code?: unknown; readonly cause?: unknown };
  if (typeof code === 'string' && /^[A-Z0-9_]{1,60}$/.test(code)) return code;
  return cause === undefined ? '' : codeOf(cause);
}
