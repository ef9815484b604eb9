import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keySlot } from '../../../sinks/redis/key-slot.ts';
import { isReservedEntry, placeKeys, placeNameProblem } from '../../../sinks/redis/place-keys.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../../servers/redis.ts';

const names = ['settings', 'acme:prod:settings', '{acme}:prod', 'acme:{prod}:settings', '{a}{b}', 'x{{y}z', 'Zürich 東京', 'a b"c'];

test('the ledger is beside the place, and the undo record beside the ledger', () => {
  expect(placeKeys('acme:prod')).toEqual({ ledger: '{acme:prod}:vartrack', undo: '{acme:prod}:vartrack:undo', guard: '{acme:prod}:vartrack:none' });
  expect(placeKeys('{acme}:prod')).toEqual({ ledger: '{acme}:prod:vartrack', undo: '{acme}:prod:vartrack:undo', guard: '{acme}:prod:vartrack:none' });
});

describe('a place name', () => {
  test.each(names)('%s is taken', (name) => expect(placeNameProblem(name)).toBeNull());

  test.each(['', 'a}b', 'a{b', 'foo{}bar', '}{', 'x:vartrack', '{x}:vartrack:undo', '\ud800', 'x'.repeat(2_000)])('%j is refused', (name) => {
    expect(placeNameProblem(name)).toEqual(expect.any(String));
  });

  test('no taken name gives the ledger key of another', () => {
    const keys = names.flatMap((name) => [name, ...Object.values<string>({ ...placeKeys(name) })]);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

test('an entry of a prefix with a hash tag cannot be the ledger of the prefix', () => {
  const keys = Object.values<string>({ ...placeKeys('{acme}:') });
  expect(keys.map((key) => isReservedEntry(key.slice('{acme}:'.length)))).toEqual([true, true, true]);
  expect(isReservedEntry('vartrack')).toBe(false);
});

describeWith('redis', 'in a cluster', () => {
  let server: RedisServer;
  let folder: string;
  let client: Redis;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vartrack-cluster-'));
    server = await startRedis({ args: ['--cluster-enabled', 'yes', '--dir', folder] });
    client = new Redis({ host: server.host, port: server.port });
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
    await rm(folder, { recursive: true });
  });

  test.each(names)('every key of %s is in one slot', async (name) => {
    const slots = await Promise.all([name, ...Object.values<string>({ ...placeKeys(name) })].map((key) => client.call('CLUSTER', 'KEYSLOT', key)));
    expect(new Set(slots)).toEqual(new Set([keySlot(name)]));
  });
});
