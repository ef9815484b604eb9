import { expect, test } from 'vitest';
import { clientOptions, mongodbOptions, systemOf } from '../../../sinks/mongodb/options.ts';
import { failure } from '../contract/scenario.ts';

const canary = 'canary-5a1e';

test.each([['mongodb://db:27017'], ['mongodb://db'], ['mongodb://a:1,b:2,[::1]:3/'], ['mongodb+srv://cluster.example.net']])('%s is taken', (url) => {
  expect(mongodbOptions.safeParse({ url }).success).toBe(true);
});

test.each([
  [`mongodb://user:${canary}@db:27017`],
  [`mongodb://db:27017/?authSource=${canary}`],
  ['mongodb://db:27017/app'],
  ['mongodb+srv://cluster.example.net:27017'],
  ['mongodb://a b'],
  ['mongodb://'],
  ['http://db:27017'],
  ['db:27017'],
])('%s is refused with advice, and without being quoted', (url) => {
  const { error } = mongodbOptions.safeParse({ url });
  expect(error?.issues[0]?.message).toContain('those have fields of their own');
  expect(JSON.stringify(error?.issues)).not.toContain(canary);
});

test.each([
  [{ username: 'u' }, 'username and password come together'],
  [{ password: { env: 'P' } }, 'username and password come together'],
  [{ tls: { cert: { file: 'c' } } }, 'cert and key come together'],
  [{ batch: 0 }, '>=1'],
  [{ writeConcern: 0 }, '>=1'],
  [{ retryWrites: true }, 'Unrecognized key'],
])('%j is refused', (more, message) => {
  expect(
    mongodbOptions
      .safeParse({ url: 'mongodb://db', ...more })
      .error?.issues.map((issue) => issue.message)
      .join(),
  ).toContain(message);
});

test('the driver repeats nothing, reads from the primary, and gets the credentials that were resolved', async () => {
  const options = mongodbOptions.parse({
    url: 'mongodb://db',
    username: 'varTrack',
    password: { env: 'P' },
    authMechanism: 'SCRAM-SHA-256',
    tls: { ca: { file: 'ca' } },
    replicaSet: 'rs0',
  });
  const made = await clientOptions(options, async (reference) => ('env' in reference ? canary : 'PEM'));
  expect(made).toMatchObject({
    retryWrites: false,
    retryReads: false,
    readPreference: 'primary',
    auth: { username: 'varTrack', password: canary },
    authSource: 'admin',
    authMechanism: 'SCRAM-SHA-256',
    tls: true,
    ca: 'PEM',
    replicaSet: 'rs0',
  });
});

test('a credential that cannot be read is told by its name, and is no reason to give up', async () => {
  const options = mongodbOptions.parse({ url: 'mongodb://db', username: 'u', password: { env: 'P' } });
  const error = await failure(
    clientOptions(options, () => Promise.reject(new Error('the environment has no P'))),
    'unavailable',
  );
  expect(error.message).toBe('mongodb db:27017: the environment has no P');
});

test.each([
  ['mongodb://B:27017,a', 'a:27017'],
  ['mongodb://a:27017,b', 'a:27017'],
  ['mongodb+srv://Cluster.example.net', 'srv cluster.example.net'],
])('%s is the system %s', (url, system) => {
  expect(systemOf(mongodbOptions.parse({ url }))).toBe(system);
});
