import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { rateLimitOf } from '../../../sinks/vercel/rate-limit.ts';
import { failure } from '../contract/scenario.ts';

const { signal } = new AbortController();
const server = 'https://api.vercel.com';

test('one token has so many requests in a minute, whoever makes them, and another token has its own', async () => {
  const token = randomUUID();
  for (let turn = 0; turn < 3; turn++) await rateLimitOf(server, token).take('request', 3, 0, signal);
  const error = await failure(rateLimitOf(server, token).take('request', 3, 0, signal), 'throttled');
  expect(error.retryAfterMs).toBeGreaterThan(55_000);
  expect(error.retryAfterMs).toBeLessThanOrEqual(60_000);
  expect(error.message).not.toContain(token);
  await rateLimitOf(server, randomUUID()).take('request', 3, 0, signal);
  await rateLimitOf('https://vercel.test', token).take('request', 3, 0, signal);
});

test('deletes are counted by themselves', async () => {
  const limit = rateLimitOf(server, randomUUID());
  await limit.take('delete', 1, 0, signal);
  await limit.take('request', 1, 0, signal);
  await failure(limit.take('delete', 1, 0, signal), 'throttled');
});

test('a turn that comes soon is waited for, until the signal aborts', async () => {
  const limit = rateLimitOf(server, randomUUID());
  const until = Date.now() + 80;
  limit.pauseUntil(until);
  limit.pauseUntil(until - 50);
  await limit.take('request', 3, 5_000, signal);
  // Timers may be early by a millisecond.
  expect(Date.now()).toBeGreaterThanOrEqual(until - 1);
  limit.pauseUntil(Date.now() + 5_000);
  const abort = new AbortController();
  const waiting = limit.take('request', 3, 10_000, abort.signal);
  abort.abort();
  await expect(waiting).rejects.toThrow('aborted');
});
