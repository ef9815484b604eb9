import type { CredentialReference } from '../domain/bundle.ts';
import { SinkError } from './errors.ts';
import type { ResolveCredential } from './sink.ts';

/**
 * A credential as it is now; undefined where the options name none. Throws SinkError `unavailable`, since what cannot be read now may be there soon. The
 * message has the resolver's, which names the reference and never the value; its error stays behind.
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
    throw new SinkError('unavailable', `${label}: ${error instanceof Error ? error.message : 'a credential cannot be read'}`);
  }
}
