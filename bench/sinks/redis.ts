import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { unflatten } from '../../domain/flatten.ts';
import { toJson } from '../../domain/value.ts';
import { redis } from '../../sinks/redis.ts';
import { startRedis } from '../../test/servers/redis.ts';
import { textsOfJson } from './document-texts.ts';
import { SIZES, type Kind } from './lane.ts';

export const redisKind: Kind = {
  definition: redis,
  lanes: ['hash', 'keys', 'json'].map((layout) => ({ destination: { layout }, sizes: SIZES })),
  start: async () => {
    const server = await startRedis();
    return {
      address: server,
      sink: ({ host, port }) => redis.connect(redis.options.parse({ url: `redis://${host}:${port}` }), async () => ''),
      bare: async ({ host, port }) => {
        const client = new Redis({ host, port });
        return {
          write: async ({ name, layout }, entries) => {
            if (layout === 'hash') await client.hset(name, ...entries.flatMap(({ key, text }) => [key, text]));
            else if (layout === 'keys') await client.mset(...entries.flatMap(({ key, text }) => [name + key, text]));
            else await client.set(name, toJson(unflatten(entries)));
          },
          read: async ({ name, layout }, entries) => {
            const keys = entries.map(({ key }) => key);
            if (layout === 'json') return textsOfJson((await client.get(name)) ?? '', entries);
            const found = layout === 'hash' ? await client.hmget(name, ...keys) : await client.mget(...keys.map((key) => name + key));
            return found.map((text) => text ?? undefined);
          },
          close: async () => client.disconnect(),
        };
      },
      placeName: (layout) => `bench:${randomUUID()}${layout === 'keys' ? ':' : ''}`,
      stop: () => server.stop(),
    };
  },
};
