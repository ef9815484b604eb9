import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { valueIn, type Places } from './places.ts';

/** Somebody who changes what stands at the demo's places, past varTrack. */
export interface Hands {
  /** Sets `workers` everywhere in an environment, and gives what was done as commands would say it. */
  setWorkers(environment: string, workers: number): Promise<string[]>;
  /** Whether `workers` is this everywhere. */
  hasWorkers(environment: string, workers: number): Promise<boolean>;
}

export function createHands(directory: string, redis: Redis | undefined, places: Places): Hands {
  return {
    async setWorkers(environment, workers) {
      const file = join(directory, environment, 'checkout.env');
      const text = await readFile(file, 'utf8');
      const now = valueIn(text.split('\n'), 'workers');
      await writeFile(file, text.replace(/^(WORKERS=).*$/m, `$1${workers}`));
      const done = [`sed -i s/WORKERS=${now}/WORKERS=${workers}/ ${file}`];
      if (!redis) return done;
      await redis.hset(`acme:${environment}:settings`, 'workers', String(workers));
      return [...done, `redis-cli hset acme:${environment}:settings workers ${workers}`];
    },
    async hasWorkers(environment, workers) {
      const edited = [...(await places.value(environment, 'workers'))].filter(([place]) => place !== 'settings.json');
      return edited.every(([, value]) => value === String(workers));
    },
  };
}
