import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { redisError } from '../../../sinks/redis/redis-error.ts';
import { canary } from '../contract/scenario.ts';

function reply(message: string): Error {
  // As ioredis makes them: the whole command, with its values, hangs on the error.
  return Object.assign(new Error(message), { name: 'ReplyError', command: { name: 'hset', args: ['place', 'host', canary] } });
}

test.each([
  ['NOAUTH Authentication required.', 'unauthorized', 'set username and password'],
  ['WRONGPASS invalid username-password pair or user is disabled.', 'unauthorized', 'refused the username or password'],
  ["NOPERM this user has no permissions to run the 'hset' command", 'unauthorized', 'the command hset'],
  ['NOPERM this user has no permissions to access one of the keys used as arguments', 'unauthorized', 'a key of the place'],
  ["ERR The user executing the script can't run this command or subcommand script: 0c66, on @user_script:1.", 'unauthorized', 'a command that the sink needs'],
  ["OOM command not allowed when used memory > 'maxmemory'.", 'unavailable', 'out of memory'],
  ['LOADING Redis is loading the dataset in memory', 'unavailable', 'loading'],
  ['ERR Error running script (call to f_0c66): @user_script:4: WRONGTYPE Operation against a key holding the wrong kind of value', 'rejected', 'another type'],
  ['MOVED 866 127.0.0.1:7001', 'rejected', 'write cluster'],
  ['ASK 866 127.0.0.1:7001', 'unavailable', 'moving the keys'],
  ["CROSSSLOT Keys in request don't hash to the same slot", 'rejected', 'hash tag'],
  ['ERR DB index is out of range', 'rejected', 'the database that the url names'],
  [`ERR unknown command 'EVALSHA', with args beginning with: '${canary}'`, 'rejected', 'refused the command with ERR'],
])('%s is %s', (message, reason, words) => {
  const error = redisError('redis acme', reply(message));
  expect(error.reason).toBe(reason);
  expect(error.message).toMatch(/^redis acme: /);
  expect(error.message).toContain(words);
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(canary);
});

test.each([
  [Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' }), 'unavailable', 'not reachable (ECONNREFUSED)'],
  [Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), 'rejected', 'TLS'],
  [new Error('Command timed out'), 'unavailable', 'no answer in time'],
  [new Error('Connection is closed.'), 'unavailable', 'the connection was lost'],
])('%s is %s', (cause, reason, words) => {
  const error = redisError('redis acme', cause);
  expect(error.reason).toBe(reason);
  expect(error.message).toContain(words);
});
