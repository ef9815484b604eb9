import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { CredentialError } from '../clients/credentials.ts';
import { CueUnavailable } from '../clients/cue/cue.ts';
import { GitError } from '../clients/git.ts';
import { InvalidInput } from '../domain/problem.ts';
import { SinkError } from '../sinks/errors.ts';
import type { FailureDetails } from './activity-types.ts';

/**
 * The only place that decides what Temporal retries. Messages say where and what to do; causes stay behind, since what a vendor's library puts into
 * its errors may hold a value.
 */
export function toFailure(error: unknown, where: string, details: FailureDetails): Error {
  if (error instanceof CancelledFailure) return error;
  if (error instanceof ApplicationFailure) return failure(error.type ?? 'unexpected', error.message, error.nonRetryable !== true, details);
  if (error instanceof SinkError) {
    const retryable = error.reason === 'unavailable' || error.reason === 'throttled' || error.reason === 'conflict';
    return ApplicationFailure.create({
      type: `sink ${error.reason}`,
      message: `${where}: ${error.key === undefined ? '' : `${error.key}: `}${error.message}`,
      nonRetryable: !retryable,
      details: [details],
      ...(error.retryAfterMs !== undefined && { nextRetryDelay: error.retryAfterMs }),
    });
  }
  if (error instanceof GitError)
    return failure(`git ${error.reason}`, `${where}: ${error.message}`, error.reason === 'unavailable' || error.reason === 'corrupt', details);
  if (error instanceof CredentialError) return failure('credential', `${where}: ${error.message}`, false, details);
  if (error instanceof CueUnavailable) return failure('cue unavailable', `${where}: ${error.message}`, true, details);
  if (error instanceof InvalidInput) return failure('invalid', `${where}: ${error.message}`, false, details);
  // Not foreseen: perhaps a passing fault of the machine, perhaps a bug. Retried where it shows, under its own name.
  const name = error instanceof Error ? error.name : typeof error;
  return failure('unexpected', `${where}: unexpected ${name}${error instanceof Error ? `: ${error.message}` : ''}`, true, details);
}

function failure(type: string, message: string, retryable: boolean, details: FailureDetails): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: !retryable, details: [details] });
}
