import { CredentialError } from '../clients/credentials.ts';
import { GitError } from '../clients/git.ts';
import { SecretError } from '../clients/vault/secret-error.ts';
import { formatProblem, InvalidInput } from '../domain/problem.ts';
import { bounded } from '../domain/status.ts';
import type { Prepared } from './activity-types.ts';

export type Refusal = Extract<Prepared, { readonly kind: 'rejected' | 'nothing' }>;

/** What an error says of the commit, the bundle or the repository that a person has to mend; undefined for what may pass by itself. */
export function refusalOf(error: unknown, commit: string | undefined): Refusal | undefined {
  const at = commit === undefined ? {} : { commit };
  if (error instanceof InvalidInput) return { kind: 'rejected', ...at, problems: bounded(error.problems.map(formatProblem)) };
  if (error instanceof CredentialError) return { kind: 'rejected', ...at, problems: [error.message] };
  if (error instanceof SecretError)
    return error.retryable ? undefined : { kind: 'rejected', ...at, problems: bounded(error.all.map(({ message }) => message)) };
  if (!(error instanceof GitError)) return undefined;
  // A forge says "not found" of a repository that the credential may not see, too.
  if (error.reason === 'not-found' && error.missing === 'revision') return { kind: 'nothing', why: error.message };
  if (error.reason === 'unavailable' || error.reason === 'corrupt') return undefined;
  return { kind: 'rejected', ...at, problems: [error.message] };
}
