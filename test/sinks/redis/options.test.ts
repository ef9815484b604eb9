import { describe, expect, test } from 'vitest';
import { SinkError } from '../../../sinks/errors.ts';
import { clientOptions, redisOptions } from '../../../sinks/redis/options.ts';

const resolve = async (reference: object): Promise<string> => `resolved ${JSON.stringify(reference)}`;

describe('the options', () => {
  test('have time limits unless they are given', () => {
    expect(redisOptions.parse({ url: 'redis://cache' })).toEqual({ url: 'redis://cache', connectTimeout: 5_000, commandTimeout: 15_000 });
  });

  test.each([
    ['a password in the url', { url: 'redis://:secret@cache' }],
    ['a user in the url', { url: 'redis://user@cache' }],
    ['a query', { url: 'redis://cache?password=secret' }],
    ['another scheme', { url: 'http://cache' }],
    ['a database that is no number', { url: 'redis://cache/main' }],
    ['no host', { url: 'redis://' }],
    ['neither url, cluster nor sentinel', {}],
    ['a url and a cluster', { url: 'redis://cache', cluster: { nodes: ['redis://cache'] } }],
    ['a cluster without nodes', { cluster: { nodes: [] } }],
    ['a database of a cluster', { cluster: { nodes: ['redis://cache/1'] } }],
    ['nodes with and without TLS', { cluster: { nodes: ['redis://a', 'rediss://b'] } }],
    ['tls on plain nodes', { cluster: { nodes: ['redis://a'] }, tls: {} }],
    ['a password in a node', { sentinel: { name: 'main', nodes: ['redis://:secret@a'] } }],
    ['tls on plain sentinels', { sentinel: { name: 'main', nodes: ['redis://a'], tls: {} } }],
    ['a user of sentinels without password', { sentinel: { name: 'main', nodes: ['redis://a'], username: 'user' } }],
    ['no url at all', { url: 'cache:6379' }],
    ['a password that is written out', { url: 'redis://cache', password: 'secret' }],
    ['a user without password', { url: 'redis://cache', username: 'user' }],
    ['tls on a plain url', { url: 'redis://cache', tls: {} }],
    ['an unknown field', { url: 'redis://cache', pasword: { env: 'P' } }],
  ])('refuse %s, without quoting it', (_what, options) => {
    const { success, error } = redisOptions.safeParse(options);
    expect(success).toBe(false);
    expect(error?.message).not.toContain('secret');
  });
});

describe('the client', () => {
  test('gets host, port and database of the url', async () => {
    const options = redisOptions.parse({ url: 'redis://[::1]:7000/3' });
    expect(await clientOptions(options, resolve)).toMatchObject({ host: '::1', port: 7_000, db: 3, connectTimeout: 5_000, commandTimeout: 15_000 });
    expect(await clientOptions(redisOptions.parse({ url: 'redis://cache' }), resolve)).toMatchObject({ host: 'cache', port: 6_379, db: 0 });
    expect(await clientOptions(options, resolve)).not.toHaveProperty('tls');
  });

  test('gets the credentials that the references name', async () => {
    const tls = { ca: { file: 'ca.pem' }, servername: 'redis.internal' };
    const options = redisOptions.parse({ url: 'rediss://cache', username: 'vartrack', password: { env: 'P' }, tls });
    expect(await clientOptions(options, resolve)).toMatchObject({
      username: 'vartrack',
      password: 'resolved {"env":"P"}',
      tls: { ca: 'resolved {"file":"ca.pem"}', servername: 'redis.internal' },
    });
  });

  test('is not made when a credential cannot be read, which is worth another try', async () => {
    const options = redisOptions.parse({ url: 'redis://cache', password: { env: 'P' } });
    const failing = clientOptions(options, async () => {
      throw new Error('the environment variable P is not set');
    });
    await expect(failing).rejects.toThrow(SinkError);
    await expect(failing).rejects.toMatchObject({ reason: 'unavailable', message: 'redis redis://cache: the environment variable P is not set' });
  });
});
