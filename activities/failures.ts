import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { CredentialError } from '../clients/credentials.ts';
import { CueUnavailable } from '../clients/cue/cue.ts';
import { GitError } from '../clients/git.ts';
import { SecretError } from '../clients/vault/secret-error.ts';
import { InvalidInput } from '../domain/problem.ts';
import type { Redact } from '../domain/redact.ts';
import { SinkError } from '../sinks/errors.ts';
import type { FailureDetails } from './activity-types.ts';

/** How often what Git finds damaged is read again, each time from a mirror made anew: after that the damage is the remote's, or the disk's. */
const READS_OF_DAMAGE = 5;

export interface FailureOptions {
  /** The number of this attempt. */
  readonly attempt?: number;
  /** Takes the values in play out of whatever a library says of them. */
  readonly redact?: Redact;
}

/**
 * The only place that decides what Temporal retries. Messages say where and what to do; causes stay behind, since what a vendor's library puts into
 * its errors may hold a value.
 */
export function toFailure(error: unknown, where: string, details: FailureDetails, { attempt = 1, redact = unchanged }: FailureOptions = {}): Error {
  const failure = (type: string, message: string, retryable: boolean, nextRetryDelay?: number): ApplicationFailure =>
    ApplicationFailure.create({
      type,
      message: redact(message),
      nonRetryable: !retryable,
      details: [details],
      ...(nextRetryDelay !== undefined && { nextRetryDelay }),
    });
  if (error instanceof CancelledFailure) return error;
  if (error instanceof ApplicationFailure) return failure(error.type ?? 'unexpected', error.message, error.nonRetryable !== true);
  if (error instanceof SinkError) {
    const retryable = error.reason === 'unavailable' || error.reason === 'throttled' || error.reason === 'conflict';
    const message = `${where}: ${error.key === undefined ? '' : `${error.key}: `}${error.message}`;
    return failure(`sink ${error.reason}`, message, retryable, error.retryAfterMs);
  }
  if (error instanceof GitError) {
    const givenUp = error.reason === 'corrupt' && attempt >= READS_OF_DAMAGE;
    const advice = givenUp
      ? `; it was the same ${attempt} times: run git fsck on the remote, look at the disk of the worker's cache, then push or run vartrack sync`
      : '';
    const retried = error.reason === 'unavailable' || (error.reason === 'corrupt' && !givenUp);
    return failure(`git ${error.reason}`, `${where}: ${error.message}${advice}`, retried);
  }
  if (error instanceof SecretError) return failure(`secret ${error.reason}`, `${where}: ${error.message}`, error.retryable);
  if (error instanceof CredentialError) return failure('credential', `${where}: ${error.message}`, false);
  if (error instanceof CueUnavailable) return failure('cue unavailable', `${where}: ${error.message}`, true);
  if (error instanceof InvalidInput) return failure('invalid', `${where}: ${error.message}`, false);
  // Not foreseen: perhaps a passing fault of the machine, perhaps a bug. Retried where it shows, under its own name.
  const name = error instanceof Error ? error.name : typeof error;
  return failure('unexpected', `${where}: unexpected ${name}${error instanceof Error ? `: ${error.message}` : ''}`, true);
}

function unchanged(text: string): string {
  return text;
}
