/**
 * Why a sink could not do what was asked. Retried: `unavailable`, `throttled`. Re-read and re-planned: `conflict`.
 * For good: `unauthorized`, `rejected`, `unsupported`, `too-large`.
 */
export type SinkErrorReason = 'unavailable' | 'throttled' | 'conflict' | 'unauthorized' | 'rejected' | 'unsupported' | 'too-large';

export interface SinkErrorDetails {
  /** Sink key the error is about, if it is about one. */
  readonly key?: string;
  /** For `throttled` and `unavailable`: when to try again, where the sink tells or what it waits for does. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** The only error that a sink throws. The message says what was tried at which place and what to do; it never holds a value. */
export class SinkError extends Error {
  override readonly name = 'SinkError';
  readonly reason: SinkErrorReason;
  readonly key: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(reason: SinkErrorReason, message: string, details: SinkErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.reason = reason;
    this.key = details.key;
    this.retryAfterMs = details.retryAfterMs;
  }
}
