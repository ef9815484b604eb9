import { expect, test } from 'vitest';
import { inspect } from 'node:util';
import { s3Error } from '../../../sinks/s3/s3-error.ts';

function answer(name: string, httpStatusCode: number, headers: Readonly<Record<string, string>> = {}): Error {
  return Object.assign(new Error('quoted text of the server'), { name, $metadata: { httpStatusCode }, $response: { headers } });
}

test.each([
  ['NoSuchBucket', 404, 'rejected'],
  ['AccessDenied', 403, 'unauthorized'],
  ['InvalidAccessKeyId', 403, 'unauthorized'],
  ['SignatureDoesNotMatch', 403, 'unauthorized'],
  ['ExpiredToken', 400, 'unauthorized'],
  ['RequestTimeTooSkewed', 403, 'unauthorized'],
  ['Forbidden', 403, 'unauthorized'],
  ['PreconditionFailed', 412, 'conflict'],
  ['ConditionalRequestConflict', 409, 'conflict'],
  ['NoSuchKey', 404, 'conflict'],
  ['SlowDown', 503, 'throttled'],
  ['ThrottlingException', 400, 'throttled'],
  ['ServiceUnavailable', 503, 'unavailable'],
  ['InternalError', 500, 'unavailable'],
  ['PermanentRedirect', 301, 'rejected'],
  ['EntityTooLarge', 400, 'too-large'],
  ['KMS.DisabledException', 400, 'rejected'],
  ['NotImplemented', 501, 'unsupported'],
  ['InvalidArgument', 400, 'rejected'],
] as const)('%s (%i) is %s, and nothing of the server’s text is told', (name, status, reason) => {
  const error = s3Error('s3 config/app.json', answer(name, status));
  expect(error.reason).toBe(reason);
  expect(error.message).toMatch(/^s3 config\/app\.json: /);
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('quoted');
});

test('how long to wait is told, also by a 503 that is not called throttling', () => {
  expect(s3Error('x', answer('SlowDown', 503, { 'retry-after': '7' }))).toMatchObject({ reason: 'throttled', retryAfterMs: 7_000 });
  expect(s3Error('x', answer('ServiceUnavailable', 503, { 'retry-after': '2' }))).toMatchObject({ reason: 'throttled', retryAfterMs: 2_000 });
});

test.each([
  [{ name: 'Error', code: 'ECONNREFUSED' }, 'unavailable'],
  [{ name: 'TimeoutError' }, 'unavailable'],
  [{ name: 'Error', code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }, 'rejected'],
  [{ name: 'CredentialsProviderError' }, 'unauthorized'],
] as const)('without an answer, %j is %s', (parts, reason) => {
  expect(s3Error('x', Object.assign(new Error('text'), parts)).reason).toBe(reason);
});
