import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Bundle } from '../domain/bundle.ts';
import type { ResolveCredential } from '../sinks/sink.ts';
import { createCredentialCache, type ReadVaultCredential } from './vault/credential-cache.ts';
import { createSecretManagers, type SecretManagers } from './vault/managers.ts';
import { SecretError } from './vault/secret-error.ts';

/** A credential could not be read. The message names the reference; no part of a credential is ever in it. */
export class CredentialError extends Error {
  override readonly name = 'CredentialError';
  /** Whether it may be there later without anyone acting: a file may still be mounted or be replaced just now, a variable is never set under a process. */
  readonly retryable: boolean;

  constructor(message: string, found: 'for good' | 'for now' = 'for good') {
    super(message);
    this.retryable = found === 'for now';
  }
}

export interface CredentialSources {
  /** Usually `process.env`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder of the bundle; relative files are looked for there. */
  readonly baseDirectory: string;
}

/** What a process needs to read the credentials and secrets of its bundle. */
export interface Credentials {
  readonly resolve: ResolveCredential;
  readonly secrets: SecretManagers;
  close(): Promise<void>;
}

/** Credentials of the environment, of files and of the secret managers of the bundle in force. */
export function createCredentials(sources: CredentialSources, bundle: () => Bundle): Credentials {
  const secrets = createSecretManagers(bundle, (reference, options) => resolveCredential(reference, options));
  const resolveCredential = createCredentialResolver(sources, createCredentialCache(secrets));
  return { resolve: resolveCredential, secrets, close: () => secrets.close() };
}

/**
 * Reads credentials at the moment of use, so that a rotated one is picked up without a restart: those of the environment and of files each time anew,
 * those of Vault after a while, or at once where the caller says that what it has was refused. Throws CredentialError, or a SecretError that is
 * worth a retry.
 */
export function createCredentialResolver(sources: CredentialSources, fromVault?: ReadVaultCredential): ResolveCredential {
  return async (reference, { notBefore = 0 } = {}) => {
    if ('env' in reference) return fromEnvironment(reference.env, sources.env);
    if ('file' in reference) return await fromFile(resolve(sources.baseDirectory, reference.file));
    // Loading a bundle sets the tenant of each reference.
    if (!fromVault || reference.tenant === undefined) throw new CredentialError(`credential ${reference.vault} cannot be read here: it belongs to no tenant`);
    try {
      return await fromVault(reference.tenant, reference.vault, notBefore);
    } catch (error) {
      throw error instanceof SecretError && !error.retryable ? new CredentialError(error.message) : error;
    }
  };
}

function fromEnvironment(name: string, env: CredentialSources['env']): string {
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (value === undefined) throw new CredentialError(`environment variable ${name} is not set; the bundle reads a credential from it`);
  if (value === '') throw new CredentialError(`environment variable ${name} is empty; the bundle reads a credential from it`);
  return value;
}

async function fromFile(path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new CredentialError(`credential file ${path} cannot be read (${code})`, 'for now');
  }
  // Editors and `echo` end a file with a line break that is no part of the credential.
  const value = text.replace(/\r?\n$/, '');
  if (value === '') throw new CredentialError(`credential file ${path} is empty`, 'for now');
  return value;
}
