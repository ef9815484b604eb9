import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { CredentialError } from '../clients/credentials.ts';
import { CueUnavailable } from '../clients/cue/cue.ts';
import { GitError } from '../clients/git.ts';
import { InvalidInput } from '../domain/problem.ts';
import { SinkError } from '../sinks/errors.ts';
import type { FailureDetails } from './activity-types.ts';

/** How often what Git finds damaged is read again, each time from a mirror made anew: after that the damage is the remote's, or the disk's. */
const READS_OF_DAMAGE = 5;

/**
 * The only place that decides what Temporal retries, `attempt` being the number of this one. Messages say where and what to do; causes stay behind, since what a vendor's library puts into
 * its errors may hold a value.
 */
export function toFailure(error: unknown, where: string, details: FailureDetails, attempt = 1): Error {
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
  if (error instanceof GitError) {
    const givenUp = error.reason === 'corrupt' && attempt >= READS_OF_DAMAGE;
    const advice = givenUp
      ? `; it was the same ${attempt} times: run git fsck on the remote, look at the disk of the worker's cache, then push or run vartrack sync`
      : '';
    const retried = error.reason === 'unavailable' || (error.reason === 'corrupt' && !givenUp);
    return failure(`git ${error.reason}`, `${where}: ${error.message}${advice}`, retried, details);
  }
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
