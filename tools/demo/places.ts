import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Redis } from 'ioredis';

/** What stands at the demo's destinations, read directly, without varTrack. */
export interface Places {
  /** Everything as text, with or without ledgers and undo records: equal texts mean that nothing was changed. */
  snapshot(what: 'all' | 'values'): Promise<string>;
  file(environment: string, name: string): Promise<string[]>;
  /** Sorted `field value` lines, or undefined without Redis. */
  hash(environment: string): Promise<string[] | undefined>;
  /** One value at each of the places, for a comparison. */
  value(environment: string, key: string): Promise<ReadonlyMap<string, string>>;
}

export function createPlaces(directory: string, redis: Redis | undefined): Places {
  const file = async (environment: string, name: string): Promise<string[]> =>
    (await readFile(join(directory, environment, name), 'utf8')).trimEnd().split('\n');
  const hash = async (environment: string): Promise<string[] | undefined> =>
    redis &&
    Object.entries(await redis.hgetall(`acme:${environment}:settings`))
      .map(([field, value]) => `${field} ${value}`)
      .toSorted();
  return {
    file,
    hash,
    async snapshot(what) {
      const shown = (name: string): boolean => what === 'all' || !/[.:]vartrack(\W|$)/.test(name);
      const entries = await readdir(directory, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile() && shown(entry.name)).map((entry) => join(entry.parentPath, entry.name));
      const texts = await Promise.all(files.toSorted().map(async (path) => `${path}\n${await readFile(path, 'utf8')}`));
      return [...texts, ...(redis ? await dump(redis, shown) : [])].join('\n');
    },
    async value(environment, key) {
      const found = new Map<string, string>();
      const fields = await hash(environment);
      if (fields) found.set(`acme:${environment}:settings`, fields.find((line) => line.startsWith(`${key} `))?.slice(key.length + 1) ?? 'absent');
      for (const name of ['settings.json', 'checkout.env']) found.set(name, valueIn(await file(environment, name), key));
      return found;
    },
  };
}

async function dump(redis: Redis, shown: (key: string) => boolean): Promise<string[]> {
  const keys = (await redis.keys('*')).filter(shown).toSorted();
  return await Promise.all(
    keys.map(async (key) => {
      const type = await redis.type(key);
      const value = type === 'hash' ? Object.entries(await redis.hgetall(key)).toSorted(([a], [b]) => a.localeCompare(b)) : await redis.get(key);
      return JSON.stringify([key, value]);
    }),
  );
}

/** The text behind `"key":` or `KEY=` in the first line that has it. */
export function valueIn(lines: readonly string[], key: string): string {
  const line = lines.find((each) => new RegExp(`(^|")${key}("\\s*:|=)`, 'i').test(each));
  return line?.replace(/^[^:=]*[:=]\s*/, '').replaceAll(/[",]/g, '') ?? 'absent';
}
