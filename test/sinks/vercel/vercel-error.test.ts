import { expect, test } from 'vitest';
import { vercelError } from '../../../sinks/vercel/vercel-error.ts';
import { canary } from '../contract/scenario.ts';

const answer = (statusCode: number, error: object = {}, headers: Readonly<Record<string, string>> = {}) => {
  const told = { message: canary, value: canary, ...error };
  return Object.assign(new Error(canary), { name: 'SDKError', statusCode, body: JSON.stringify({ error: told }), headers: new Headers(headers) });
};

test.each([
  ['a token that is not valid', answer(403, { code: 'forbidden' }), 'unauthorized'],
  ['no token', answer(401), 'unauthorized'],
  ['a name that is taken, as a refusal', answer(403, { code: 'ENV_ALREADY_EXISTS' }), 'conflict'],
  ['a name that is taken', answer(400, { code: 'ENV_CONFLICT' }), 'conflict'],
  ['another request at the same time', answer(409), 'conflict'],
  ['no such project', answer(404), 'rejected'],
  ['a bill that is not paid', answer(402), 'rejected'],
  ['a large request', answer(413), 'too-large'],
  ['a failure of the server', answer(502), 'unavailable'],
  ['an answer that nobody knows', answer(200), 'rejected'],
  ['no connection', Object.assign(new Error(canary), { name: 'ConnectionError' }), 'unavailable'],
  ['no answer', Object.assign(new Error(canary), { name: 'RequestTimeoutError' }), 'unavailable'],
  ['nothing at all', undefined, 'unavailable'],
])('%s', (_name, error, reason) => {
  const made = vercelError('vercel acme', error);
  expect(made.reason).toBe(reason);
  expect(made.message).toMatch(/^vercel acme: /);
  expect(JSON.stringify([made.message, made.cause ?? null])).not.toContain(canary);
});

test.each([
  ['seconds in the answer', answer(429, { limit: { reset: 1_800_000_005 } }), 5_000],
  ['milliseconds in the answer', answer(429, { limit: { reset: 1_800_000_005_500 } }), 5_500],
  ['a header', answer(429, {}, { 'x-ratelimit-reset': '1800000007' }), 7_000],
  ['a time that is past', answer(429, { limit: { reset: 1_700_000_000 } }), 0],
  ['nothing', answer(429), undefined],
])('a limit is told with the time to wait, from %s', (_name, error, retryAfterMs) => {
  expect(vercelError('vercel acme', error, 1_800_000_000_000)).toMatchObject({ reason: 'throttled', retryAfterMs });
});
