import { Redis } from 'ioredis';
import { startRedis } from '../redis.ts';
import type { OneSink } from './one-sink.ts';

const USER = ['ACL', 'SETUSER', 'vartrack'] as const;

export async function redisSink(): Promise<OneSink> {
  const server = await startRedis();
  const raw = new Redis(server.url);
  // Of a server that was killed with its test there is nobody to tell.
  raw.on('error', () => undefined);
  await raw.call(...USER, 'on', '>redis-secret', '+@all', '~*', '&*');
  const placeOf = (environment: string): string => `acme:${environment}:settings`;
  return {
    kind: 'redis',
    options: { url: server.url, username: 'vartrack', password: { env: 'REDIS_PASSWORD' } },
    destination: { place: placeOf('{env}') },
    credentials: { REDIS_PASSWORD: 'redis-secret' },
    look: async (environment) => {
      const found = await raw.hgetall(placeOf(environment));
      return Object.keys(found).length === 0 ? null : found;
    },
    trace: async (environment) => {
      const keys = (await raw.keys(`*${placeOf(environment)}*`)).toSorted();
      return JSON.stringify(await Promise.all(keys.map(async (key) => [key, (await raw.type(key)) === 'hash' ? await raw.hgetall(key) : await raw.get(key)])));
    },
    edit: async (environment, changes) => {
      for (const [key, text] of Object.entries(changes)) {
        if (text === null) await raw.hdel(placeOf(environment), key);
        else await raw.hset(placeOf(environment), key, text);
      }
    },
    clear: async (environment) => void (await raw.del(placeOf(environment))),
    loseLedger: async (environment) => void (await raw.del(`{${placeOf(environment)}}:vartrack`)),
    refuseWrites: async () => void (await raw.call(...USER, 'resetkeys', '%R~*')),
    allowWrites: async () => void (await raw.call(...USER, 'resetkeys', '~*')),
    stop: async () => {
      raw.disconnect();
      await server.stop();
    },
  };
}
