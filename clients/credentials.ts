import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { CredentialReference } from '../domain/bundle.ts';

/** A credential could not be read. The message names the reference; no part of a credential is ever in it. */
export class CredentialError extends Error {
  override readonly name = 'CredentialError';
}

export interface CredentialSources {
  /** Usually `process.env`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder of the bundle; relative files are looked for there. */
  readonly baseDirectory: string;
}

/** Reads credentials at the moment of use, each time anew, so that a rotated one is picked up without a restart. */
export function createCredentialResolver(sources: CredentialSources): (reference: CredentialReference) => Promise<string> {
  return async (reference) => {
    if ('env' in reference) return fromEnvironment(reference.env, sources.env);
    if ('file' in reference) return await fromFile(resolve(sources.baseDirectory, reference.file));
    throw new CredentialError(`credential ${reference.vault}: credentials from Vault are not available in this version`);
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
    throw new CredentialError(`credential file ${path} cannot be read (${code})`);
  }
  // Editors and `echo` end a file with a line break that is no part of the credential.
  const value = text.replace(/\r?\n$/, '');
  if (value === '') throw new CredentialError(`credential file ${path} is empty`);
  return value;
}
