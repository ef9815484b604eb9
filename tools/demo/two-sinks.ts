import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { findExecutable } from '../get/find-executable.ts';
import { writeExampleBundle } from './example-bundle.ts';
import { createHands } from './hands.ts';
import { createPlaces } from './places.ts';
import type { Scene } from './scene.ts';
import { startRedis, type Services } from './services.ts';
import { tellStory } from './story.ts';

/** The destinations of examples/vartrack.yaml: files, and a Redis where the machine has one. */
export async function openTwoSinks(services: Services, directory: string, example: string, { redis: wantsRedis }: { redis: boolean }): Promise<Scene> {
  const redisServer = wantsRedis ? await findExecutable('redis-server') : undefined;
  const cache = redisServer === undefined ? undefined : await startRedis(services, redisServer, directory);
  const files = join(directory, 'acme');
  await mkdir(files);
  const client = cache && new Redis(cache.url, { retryStrategy: () => null });
  client?.on('error', () => undefined);
  return {
    shown: [['Redis', cache?.url ?? 'not shown: there is no redis-server on PATH; the files are shown alone']],
    credentials: {},
    writeBundle: (target, repository, driftMode) => writeExampleBundle(example, target, { repository, files, redis: cache?.url, driftMode }),
    tell: (stage) => {
      const places = createPlaces(files, client);
      return tellStory({ ...stage, places, hands: createHands(files, client, places) });
    },
    written: `${files}${cache ? ` and redis-cli -p ${cache.port} hgetall acme:production:settings` : ''}`,
    close: async () => client?.disconnect(),
  };
}
