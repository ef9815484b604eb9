import { expect, test } from 'vitest';
import { readCredential } from '../../sinks/read-credential.ts';
import { canary, failure } from './contract/scenario.ts';

const reference = { env: 'TOKEN' };

test('a credential is what the resolver gives, and none where none is named', async () => {
  expect(await readCredential('redis', async () => 'secret', reference)).toBe('secret');
  expect(await readCredential('redis', () => Promise.reject(new Error('nobody asks')), undefined)).toBeUndefined();
});

test('one that only a person can mend is unauthorized, so that nobody tries for ever', async () => {
  const wrong = Object.assign(new Error('environment variable TOKEN is not set'), { retryable: false });
  const error = await failure(
    readCredential('redis cache:6379', () => Promise.reject(wrong), reference),
    'unauthorized',
  );
  expect(error.message).toBe('redis cache:6379: environment variable TOKEN is not set');
  const passing = Object.assign(new Error('sealed'), { retryable: true });
  await failure(
    readCredential('redis cache:6379', () => Promise.reject(passing), reference),
    'unavailable',
  );
});

test('one that cannot be read may be there soon, and what else the resolver knows stays with it', async () => {
  const cause = new Error(canary);
  const error = await failure(
    readCredential('redis cache:6379', () => Promise.reject(new Error('the environment variable TOKEN is not set', { cause })), reference),
    'unavailable',
  );
  expect(error.message).toBe('redis cache:6379: the environment variable TOKEN is not set');
  expect(
    (
      await failure(
        readCredential('redis', () => Promise.reject(canary), reference),
        'unavailable',
      )
    ).message,
  ).toBe('redis: a credential cannot be read');
});
