import type { CredentialReference } from '../../domain/bundle.ts';
import type { ResolveCredential } from '../../sinks/sink.ts';
import { SecretError } from './secret-error.ts';

/** Reads a credential that a manager itself needs; another manager may hold it. Throws SecretError. */
export async function ownCredential(manager: string, reference: CredentialReference, resolve: ResolveCredential): Promise<string> {
  try {
    return await resolve(reference);
  } catch (error) {
    const reason = error instanceof SecretError ? error.reason : 'unauthorized';
    // The resolver's messages name the reference, never what it stands for.
    throw new SecretError(reason, { manager }, `its own credential cannot be read: ${error instanceof Error ? error.message : 'unknown error'}`);
  }
}
