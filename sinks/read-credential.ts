import type { CredentialReference } from '../domain/bundle.ts';
import { SinkError } from './errors.ts';
import type { ResolveCredential } from './sink.ts';

/**
 * A credential as it is now; undefined where the options name none. Throws SinkError `unavailable`, since what cannot be read now may be there soon, or
 * `unauthorized` where the resolver says that asking again does not help. The message has the resolver's, which names the reference and never the value;
 * its error stays behind.
 */
export async function readCredential<Reference extends CredentialReference | undefined>(
  label: string,
  resolve: ResolveCredential,
  reference: Reference,
): Promise<string | Extract<Reference, undefined>>;
export async function readCredential(label: string, resolve: ResolveCredential, reference: CredentialReference | undefined): Promise<string | undefined> {
  if (reference === undefined) return undefined;
  try {
    return await resolve(reference);
  } catch (error) {
    throw credentialFailure(label, error);
  }
}

/** What a sink makes of an error of {@link ResolveCredential}. */
export function credentialFailure(label: string, error: unknown): SinkError {
  const message = `${label}: ${error instanceof Error ? error.message : 'a credential cannot be read'}`;
  return new SinkError(isFinal(error) ? 'unauthorized' : 'unavailable', message);
}

function isFinal(error: unknown): boolean {
  return error instanceof Error && 'retryable' in error && error.retryable === false;
}
