import { inspect } from 'node:util';
import { MongoNetworkError, MongoNetworkTimeoutError, MongoServerError, MongoServerSelectionError, type TopologyDescription } from 'mongodb';
import { expect, test } from 'vitest';
import { SinkError } from '../../../sinks/errors.ts';
import { isLoginRefused, mongodbError } from '../../../sinks/mongodb/mongodb-error.ts';

const canary = 'canary-77f0';
const server = (code: number, codeName = '') => new MongoServerError({ ok: 0, code, codeName, errmsg: `dup key: { v: "${canary}" }` });

test.each([
  [18, 'AuthenticationFailed', 'unauthorized'],
  [13, 'Unauthorized', 'unauthorized'],
  [11_000, 'DuplicateKey', 'conflict'],
  [112, 'WriteConflict', 'conflict'],
  [10_334, 'BSONObjectTooLarge', 'too-large'],
  [121, 'DocumentValidationFailure', 'rejected'],
  [238, 'NotImplemented', 'unsupported'],
  [10_107, 'NotWritablePrimary', 'unavailable'],
  [189, 'PrimarySteppedDown', 'unavailable'],
  [50, 'MaxTimeMSExpired', 'unavailable'],
  [16_500, 'RequestRateTooLarge', 'throttled'],
  [4_711, 'SomethingElse', 'rejected'],
] as const)('%i %s is %s, without what the server said', (code, codeName, reason) => {
  const error = mongodbError('mongodb db acme/settings', server(code, codeName));
  expect(error.reason).toBe(reason);
  expect(error.message).toMatch(/^mongodb db acme\/settings: \w/);
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(canary);
});

test('only a refused login lets go of the connection', () => {
  expect([server(18), server(13), new Error('x'), null].map(isLoginRefused)).toEqual([true, false, false, false]);
});

test.each([
  ['a lost connection', new MongoNetworkError(canary), 'unavailable', 'not reachable (MongoNetworkError)'],
  ['silence', new MongoNetworkTimeoutError(canary), 'unavailable', 'no answer in time'],
  ['no server', selection('ECONNREFUSED'), 'unavailable', 'not reachable (ECONNREFUSED)'],
  ['a silent server', selection(null), 'unavailable', 'not reachable (MongoServerSelectionError)'],
  ['a certificate of somebody else', selection('SELF_SIGNED_CERT_IN_CHAIN'), 'rejected', 'check tls.ca'],
  ['anything', canary, 'unavailable', 'connection lost'],
] as const)('%s is told by its kind', (_name, cause, reason, message) => {
  const error = mongodbError('mongodb db', cause);
  expect(error.reason).toBe(reason);
  expect(error.message).toContain(message);
  expect(inspect(error, { depth: 9 })).not.toContain(canary);
});

test('an error of ours stays as it is', () => {
  const error = new SinkError('conflict', 'moved');
  expect(mongodbError('mongodb db', error)).toBe(error);
});

function selection(code: string | null): Error {
  const cause = Object.assign(new Error(canary), code === null ? {} : { code });
  const servers = new Map([['db:27017', { error: new MongoNetworkError(canary, { cause }) }]]);
  return new MongoServerSelectionError(canary, { servers } as unknown as TopologyDescription);
}
