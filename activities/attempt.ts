import { CancelledFailure, cancellationSignal, Context, heartbeat } from '@temporalio/activity';
import { createRedactor } from '../domain/redact.ts';
import type { FailureDetails } from './activity-types.ts';
import { toFailure } from './failures.ts';

/** One attempt of an activity that may write. */
export interface Attempt {
  readonly signal: AbortSignal;
  /** Whether no other attempt was made before. */
  readonly isFirst: boolean;
  /** From here on no error of this attempt tells these values (I8). */
  conceal(values: Iterable<string>): void;
  /** From here on the place may be changed, whatever becomes of this attempt. */
  aboutToWrite(): void;
  /** The sink said that it changed nothing. */
  wroteNothing(): void;
  /** From here on each heartbeat carries this, for the attempt that goes on when this one dies: plain JSON, and never a value (I8). */
  carry(details: () => unknown): void;
  /** What the heartbeats of the attempt before carried. */
  readonly earlier: unknown;
}

interface Beat extends FailureDetails {
  /** The last word of an attempt; without it an attempt may have died after this heartbeat and gone on to write before. */
  readonly ended: boolean;
  readonly carried?: unknown;
}

const BEAT_INTERVAL_MS = 3_000;

/**
 * Runs an attempt with heartbeats, and says with every failure whether the place may have been changed, by this attempt or by an earlier one whose
 * end nobody saw: what was certainly not written needs no undo, and a sink that never answered cannot hold up the others.
 */
export async function attempt<T>(where: string, act: (attempt: Attempt) => Promise<T>): Promise<T> {
  const { attempt: number, heartbeatDetails } = Context.current().info;
  const last = number === 1 ? undefined : (heartbeatDetails as Beat | undefined);
  const earlier = earlierAttempts(number, last);
  let wrote = earlier;
  let carry = (): unknown => last?.carried;
  const beat = (ended: boolean): void => {
    const carried = carry();
    heartbeat({ wrote, ended, ...(carried !== undefined && { carried }) } satisfies Beat);
  };
  beat(false);
  const beating = setInterval(() => beat(false), BEAT_INTERVAL_MS);
  const signal = cancellationSignal();
  const concealed = new Set<string>();
  try {
    return await act({
      signal,
      isFirst: number === 1,
      conceal(values) {
        for (const value of values) concealed.add(value);
      },
      aboutToWrite() {
        wrote = 'unknown';
        beat(false);
      },
      wroteNothing() {
        wrote = earlier;
      },
      carry(details) {
        carry = details;
      },
      earlier: last?.carried,
    });
  } catch (error) {
    beat(true);
    // Cancelled in the middle, libraries throw what they like.
    if (signal.aborted) throw error instanceof CancelledFailure ? error : new CancelledFailure('cancelled', [{ wrote, ended: true } satisfies Beat]);
    throw toFailure(error, where, { wrote }, { attempt: number, redact: createRedactor(concealed) });
  } finally {
    clearInterval(beating);
  }
}

function earlierAttempts(number: number, last: Beat | undefined): FailureDetails['wrote'] {
  if (number === 1) return 'no';
  return last?.ended === true ? last.wrote : 'unknown';
}
