import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { redis } from '../../../sinks/redis.ts';
import { missingFlags } from '../../../sinks/redis/keyspace-events.ts';
import { openConnection } from '../../../sinks/redis/open-connection.ts';
import { placeKeys } from '../../../sinks/redis/place-keys.ts';
import { createWatch } from '../../../sinks/redis/watch.ts';
import type { Place } from '../../../sinks/sink.ts';
import { startTcpProxy } from '../../faults/tcp-proxy.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../../servers/redis.ts';
import { failure } from '../contract/scenario.ts';
import { documentedRules } from './bench.ts';

test.each([
  ['', 'Kg$hxe'],
  ['Kg$hxe', ''],
  ['AK', ''],
  ['AE', 'K'],
  ['KE$', 'ghxe'],
])('of the flags %j, %j are missing', (flags, missing) => {
  expect(missingFlags(flags)).toBe(missing);
});

describeWith('redis', 'how redis tells of changes', () => {
  let server: RedisServer;
  let raw: Redis;
  beforeAll(async () => {
    server = await startRedis();
    raw = new Redis({ host: server.host, port: server.port });
  });
  afterAll(async () => {
    raw.disconnect();
    await server.stop();
  });

  const placeOf = (layout: 'hash' | 'keys' | 'json', name: string): Place => ({ name, layout, fields: { layout } });

  async function setFlags(flags: string): Promise<void> {
    await raw.config('SET', 'notify-keyspace-events', flags);
    onTestFinished(async () => void (await raw.config('SET', 'notify-keyspace-events', 'Kg$hxe')));
  }

  /** A user by these rules, or who may do everything. */
  async function connect(rules: readonly string[] = ['~*', '&*', '+@all'], database = 0) {
    const username = `user-${randomUUID()}`;
    await raw.call('ACL', 'SETUSER', username, 'on', '>secret', ...rules);
    const options = redis.options.parse({ url: `redis://127.0.0.1:${server.port}/${database}`, username, password: { env: 'P' } });
    const sink = await redis.connect(options, async () => 'secret');
    onTestFinished(() => sink.close());
    if (!sink.watch) throw new Error('redis notifies');
    return sink as Required<typeof sink>;
  }

  /** What is told, from when it stands; the first call for each place is left out. */
  async function watch(sink: Awaited<ReturnType<typeof connect>>, places: readonly Place[]) {
    const told: string[] = [];
    const abort = new AbortController();
    onTestFinished(() => abort.abort());
    const watching = sink.watch(places, ({ name }) => told.push(name), abort.signal);
    await Promise.race([watching, vi.waitUntil(() => told.length >= places.length, { timeout: 5_000, interval: 5 })]);
    told.splice(0);
    return told;
  }

  const until = (told: readonly string[], name: string) => expect.poll(() => told, { interval: 5 }).toContain(name);

  test('takes signs in the prefix of a place for what they are', async () => {
    const places = [placeOf('keys', 'acme:[ab]*?:'), placeOf('keys', String.raw`acme:\:`)];
    const told = await watch(await connect(), places);
    for (const key of ['acme:a:host', 'acme:axx:host', 'acme::host', 'acme:[ab]*?']) await raw.set(key, '1');
    for (const { name } of places) {
      await raw.set(`${name}host`, '1');
      await until(told, name);
    }
    expect(told).toEqual(places.map(({ name }) => name));
  });

  test('does not tell of a ledger or an undo record', async () => {
    const [prefix, hash] = [placeOf('keys', '{acme}:flags:'), placeOf('hash', 'acme:quiet')];
    const told = await watch(await connect(), [prefix, hash]);
    for (const { name } of [prefix, hash]) {
      await raw.set(placeKeys(name).ledger, '{}');
      await raw.hset(placeKeys(name).undo, 'generation', '1');
    }
    await raw.hset(hash.name, 'host', 'db1');
    await until(told, hash.name);
    expect(told).toEqual([hash.name]);
  });

  test('tells of an expiry, a rename, and a type that is another one', async () => {
    const [hash, json] = [placeOf('hash', 'acme:expires'), placeOf('json', 'acme:renamed')];
    await raw.hset(hash.name, 'host', 'db1');
    await raw.set(json.name, '{}');
    const told = await watch(await connect(), [hash, json]);
    for (const change of [
      () => raw.rename(json.name, 'acme:elsewhere'),
      () => raw.hset(json.name, 'host', 'db1'),
      () => raw.set(hash.name, 'text'),
      () => raw.pexpire(hash.name, 60_000),
    ]) {
      const before = told.length;
      await change();
      await expect.poll(() => told.length, { interval: 5 }).toBeGreaterThan(before);
    }
  });

  test('watches the database of the url alone', async () => {
    const place = placeOf('hash', 'acme:database');
    const other = placeOf('hash', 'acme:fence');
    const told = await watch(await connect(undefined, 3), [place, other]);
    await raw.hset(place.name, 'host', 'db1');
    const inside = raw.duplicate({ db: 3 });
    onTestFinished(() => inside.disconnect());
    await inside.hset(other.name, 'host', 'db1');
    await until(told, other.name);
    expect(told).toEqual([other.name]);
  });

  describe('where the server is not set up for it', () => {
    test('names the flags to add to those that are set', async () => {
      await setFlags('K$E');
      const { message } = await failure(
        (await connect()).watch([placeOf('hash', 'acme:off')], () => undefined, AbortSignal.timeout(5_000)),
        'unsupported',
      );
      expect(message).toContain('polled');
      expect(message).toMatch(/CONFIG SET notify-keyspace-events \S*ghxe adds what is missing \(ghxe\)/);
    });

    test('a user who may not see the flags finds out by a try that leaves nothing', async () => {
      const sink = await connect(await documentedRules());
      const place = placeOf('hash', 'acme:tried');
      const told = await watch(sink, [place]);
      await raw.hset(place.name, 'host', 'db1');
      await until(told, place.name);
      expect(await raw.keys('*acme:tried*')).toEqual([place.name]);

      await setFlags('K$');
      const again = await failure(
        sink.watch([place], () => undefined, AbortSignal.timeout(5_000)),
        'unsupported',
      );
      expect(again.message).toContain('no event of del, hset came');
      await setFlags('');
      const none = await failure(
        sink.watch([place], () => undefined, AbortSignal.timeout(5_000)),
        'unsupported',
      );
      expect(none.message).toContain('no event came');
      expect(none.message).toContain('CONFIG SET notify-keyspace-events Kg$hxe');
    });

    test.each(['&__keyspace@*', '+subscribe'])('a user without %s is told where the ACL is', async (rule) => {
      const rules = await documentedRules();
      expect(rules).toContain(rule);
      const sink = await connect(rules.filter((each) => each !== rule));
      const { message } = await failure(
        sink.watch([placeOf('hash', 'acme:denied')], () => undefined, AbortSignal.timeout(5_000)),
        'unsupported',
      );
      expect(message).toContain('docs/sinks/redis.md');
    });

    test('a user needs a rule for the very pattern of a prefix', async () => {
      const place = placeOf('keys', 'acme:[x]:');
      const pattern = String.raw`__keyspace@0__:acme:\[x\]:*`;
      const rules = await documentedRules();
      const { message } = await failure(
        (await connect(rules)).watch([place], () => undefined, AbortSignal.timeout(5_000)),
        'unsupported',
      );
      expect(message).toContain(pattern);
      await watch(await connect([...rules, `&${pattern}`]), [place]);
    });
  });

  test('notices a connection that has gone silent, and other servers that take the writes', async () => {
    const proxy = await startTcpProxy({ host: server.host, port: server.port });
    onTestFinished(() => proxy.stop());
    const options = redis.options.parse({ url: `redis://${proxy.host}:${proxy.port}`, connectTimeout: '1s', commandTimeout: '200ms' });
    const opened = openConnection(options, async () => '');
    onTestFinished(() => opened.connection.close());
    const place = placeOf('hash', 'acme:silent');

    const silent = createWatch('redis', opened, 50)([place], () => proxy.watch({ how: 'hole', direction: 'request', after: 0 }), AbortSignal.timeout(5_000));
    expect((await failure(silent, 'unavailable')).message).toContain('no answer in time');
    proxy.heal();

    let asked = 0;
    const elsewhere = [{ host: '10.0.0.9', port: 6379 }];
    const moving = { ...opened, primaries: async () => (asked++ === 0 ? opened.primaries() : elsewhere) };
    const moved = createWatch('redis', moving, 50)([place], () => undefined, AbortSignal.timeout(5_000));
    expect((await failure(moved, 'unavailable')).message).toContain('other servers');
  });
});
