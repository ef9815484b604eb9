import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { toFailure } from '../../activities/failures.ts';
import { CredentialError } from '../../clients/credentials.ts';
import { CueUnavailable } from '../../clients/cue/cue.ts';
import { GitError } from '../../clients/git.ts';
import { InvalidInput } from '../../domain/problem.ts';
import { SinkError, type SinkErrorReason } from '../../sinks/errors.ts';

const no = { wrote: 'no' } as const;

function failureOf(error: unknown): ApplicationFailure {
  const failure = toFailure(error, 'rule settings: cache', no);
  expect(failure).toBeInstanceOf(ApplicationFailure);
  return failure as ApplicationFailure;
}

describe('what Temporal retries', () => {
  it.each<[SinkErrorReason, 'retried' | 'final']>([
    ['unavailable', 'retried'],
    ['throttled', 'retried'],
    ['conflict', 'retried'],
    ['unauthorized', 'final'],
    ['rejected', 'final'],
    ['unsupported', 'final'],
    ['too-large', 'final'],
  ])('a sink that is %s is %s', (reason, what) => {
    const failure = failureOf(new SinkError(reason, 'redis acme:prod: no'));
    expect(failure).toMatchObject({
      type: `sink ${reason}`,
      nonRetryable: what === 'final',
      message: 'rule settings: cache: redis acme:prod: no',
      details: [no],
    });
  });

  it('a sink that asks to wait is asked again only then', () => {
    expect(failureOf(new SinkError('throttled', 'slow down', { retryAfterMs: 7_000 })).nextRetryDelay).toBe(7_000);
  });

  it.each([
    [new GitError('unavailable', 'm'), false],
    [new GitError('corrupt', 'm'), false],
    [new GitError('unauthorized', 'm'), true],
    [new GitError('rejected', 'm'), true],
    [new CueUnavailable('m'), false],
    [new CredentialError('m'), true],
    [new InvalidInput([{ message: 'm' }]), true],
    [new TypeError('m'), false],
  ])('%s', (error, final) => {
    expect(failureOf(error).nonRetryable).toBe(final);
  });

  it('what Git finds damaged is read again a few times, and then a person is told where to look', () => {
    const failureOfAttempt = (attempt: number): ApplicationFailure =>
      toFailure(new GitError('corrupt', 'm'), 'config/main', no, { attempt }) as ApplicationFailure;
    expect([1, 4, 5].map((attempt) => failureOfAttempt(attempt).nonRetryable)).toEqual([false, false, true]);
    expect(failureOfAttempt(5).message).toContain('git fsck');
  });

  it('the key of a sink error is named, and its cause stays behind: a library may have put a value there', () => {
    const failure = failureOf(new SinkError('rejected', 'too odd', { key: 'pool.size', cause: new Error('SET pool.size hunter2') }));
    expect(failure.message).toBe('rule settings: cache: pool.size: too odd');
    expect(JSON.stringify([failure, failure.cause, failure.stack])).not.toContain('hunter2');
  });

  it('a cancellation stays one, and a failure that says its own type keeps it', () => {
    const cancelled = new CancelledFailure('cancelled');
    expect(toFailure(cancelled, 'w', no)).toBe(cancelled);
    expect(failureOf(ApplicationFailure.nonRetryable('paused by ann', 'Parked'))).toMatchObject({
      type: 'Parked',
      nonRetryable: true,
      message: 'paused by ann',
      details: [no],
    });
  });
});
