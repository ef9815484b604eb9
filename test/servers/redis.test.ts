import { Redis } from 'ioredis';
import { expect, test } from 'vitest';

import { describeWith } from './describe-with.ts';
import { startRedis } from './redis.ts';

describeWith('redis', 'a Redis for tests', () => {
  test('two run side by side and know nothing of each other', async () => {
    const servers = await Promise.all([startRedis(), startRedis()]);
    const [first, second] = servers.map((server) => new Redis(server.url)) as [Redis, Redis];
    try {
      await first.set('key', 'value');
      expect(await second.get('key')).toBeNull();
    } finally {
      first.disconnect();
      second.disconnect();
      await Promise.all(servers.map((server) => server.stop()));
    }
  });

  test('asks for the password it was started with', async () => {
    const server = await startRedis({ password: 'a/b@c' });
    const stranger = new Redis({ host: server.host, port: server.port, lazyConnect: true, maxRetriesPerRequest: 0 });
    stranger.on('error', () => {});
    const friend = new Redis(server.url);
    try {
      await expect(stranger.get('key')).rejects.toThrow('NOAUTH');
      expect(await friend.ping()).toBe('PONG');
    } finally {
      stranger.disconnect();
      friend.disconnect();
      await server.stop();
    }
  });

  test('is gone after stop', async () => {
    const server = await startRedis();
    await server.stop();
    const client = new Redis({ host: server.host, port: server.port, lazyConnect: true, retryStrategy: () => null });
    client.on('error', () => {});
    await expect(client.connect()).rejects.toThrow();
    client.disconnect();
  });
});
