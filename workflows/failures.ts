import { ActivityFailure, ApplicationFailure, CancelledFailure, TimeoutFailure } from '@temporalio/workflow';
import type { FailureDetails } from '../activities/activity-types.ts';
import { FAILURE } from './messages.ts';

/** What a workflow needs to know of an activity that failed. */
export interface WriteFailure {
  readonly kind: 'failed' | 'cancelled' | 'parked' | 'held' | 'stale';
  readonly message: string;
  /** False only if no attempt can have changed the place. */
  readonly mayHaveWritten: boolean;
}

export function writeFailureOf(error: unknown): WriteFailure {
  // Not wrapped, it was cancelled before it was scheduled: nothing ran.
  if (error instanceof CancelledFailure) return { kind: 'cancelled', message: 'cancelled before it began', mayHaveWritten: false };
  const cause = error instanceof ActivityFailure ? error.cause : error;
  // Cancelled at the moment at which it failed by itself: what it says of the place still holds.
  if (error instanceof ActivityFailure && error.retryState === 'CANCEL_REQUESTED' && cause instanceof ApplicationFailure) {
    return { ...writeFailureOf(cause), kind: 'cancelled' };
  }
  if (cause instanceof CancelledFailure) return { kind: 'cancelled', message: 'cancelled', mayHaveWritten: !saysUntouched(cause.details?.[0], 'ended') };
  if (cause instanceof TimeoutFailure) {
    // Out of time between two attempts, the last one's own words come with it; killed in the middle of one, nobody knows.
    const last = cause.cause;
    if (last instanceof ApplicationFailure) return { ...writeFailureOf(last), message: `gave up: ${last.message}` };
    return { kind: 'failed', message: `timed out (${cause.timeoutType ?? 'unknown'}) without an answer from the worker`, mayHaveWritten: true };
  }
  if (cause instanceof ApplicationFailure) {
    return { kind: kindOf(cause.type), message: cause.message, mayHaveWritten: !saysUntouched(cause.details?.[0], 'wrote') };
  }
  return { kind: 'failed', message: cause instanceof Error ? cause.message : String(cause), mayHaveWritten: true };
}

function kindOf(type: string | null | undefined): WriteFailure['kind'] {
  if (type === FAILURE.parked) return 'parked';
  if (type === FAILURE.held) return 'held';
  return type === FAILURE.stale ? 'stale' : 'failed';
}

/** `ended` asks of a heartbeat that it was the last word of an attempt, not of one that went on and wrote. */
function saysUntouched(details: unknown, by: 'wrote' | 'ended'): boolean {
  if (typeof details !== 'object' || details === null) return false;
  const { wrote, ended } = details as Partial<FailureDetails> & { readonly ended?: boolean };
  return wrote === 'no' && (by === 'wrote' || ended === true);
}
