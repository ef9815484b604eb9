import { CredentialError } from '../clients/credentials.ts';
import { GitError } from '../clients/git/git-error.ts';
import { SecretError } from '../clients/vault/secret-error.ts';
import { InvalidInput } from '../domain/problem.ts';
import { CliError } from './cli-error.ts';
import type { ExitName } from './exit-codes.ts';

export interface Explanation {
  readonly exit: ExitName;
  readonly message: string;
}

/** What an error means for the person at the terminal. */
export function explainError(error: unknown): Explanation {
  if (error instanceof CliError) return { exit: error.exit, message: error.message };
  if (error instanceof InvalidInput || error instanceof CredentialError) return { exit: 'rejected', message: error.message };
  if (error instanceof GitError)
    return { exit: error.reason === 'unavailable' || error.reason === 'corrupt' ? 'unexpected' : 'rejected', message: error.message };
  if (error instanceof SecretError) {
    return { exit: error.retryable ? 'unexpected' : 'rejected', message: error.all.map(({ message }) => message).join('\n') };
  }
  if (isAddressTaken(error)) return { exit: 'unexpected', message: `${error.message}; another process listens there, choose another port` };
  return { exit: 'unexpected', message: error instanceof Error ? error.message : String(error) };
}

function isAddressTaken(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}
