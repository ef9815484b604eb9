import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { placeKeys } from '../../../sinks/redis/place-keys.ts';
import { redis } from '../../../sinks/redis.ts';
import type { Sink } from '../../../sinks/sink.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../../servers/redis.ts';
import { startDeafProxy } from './deaf-proxy.ts';
import { canary, contextFor, failure } from '../contract/scenario.ts';
import { documentedRules, type Layout } from './bench.ts';
import { place, planFor, sync } from './sync.ts';

describeWith('redis', 'the store of the redis sink', () => {
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

  async function connect(options: Readonly<Record<string, unknown>> = {}): Promise<Sink> {
    const sink = await redis.connect(redis.options.parse({ url: `redis://127.0.0.1:${server.port}`, ...options }), async () => 'secret');
    onTestFinished(() => sink.close());
    return sink;
  }

  describe('what it finds of another type', () => {
    test.each(['hash', 'json'] as const)('is named where it is the place of layout %s', async (layout) => {
      const [sink, at] = [await connect(), place(layout)];
      await raw.rpush(at.name, canary);
      const error = await failure(sink.read(at, contextFor([])), 'rejected');
      expect(error.message).toContain(`holds a list, not a ${layout === 'hash' ? 'hash' : 'string'}`);
      expect(error.message).toContain(at.name);
    });

    test('is never taken for absent where it is one key of a prefix (I3)', async () => {
      const [sink, at] = [await connect(), place('keys')];
      await raw.set(`${at.name}other`, 'x');
      await raw.rpush(`${at.name}host`, canary);
      const error = await failure(sink.read(at, { ...contextFor([]), keys: ['host', 'other'] }), 'rejected');
      expect(error.message).toContain('a key holds another type than a string');
    });

    test.each(['hash', 'keys'] as const)('is drift of layout %s where it is bytes that are no text (I5)', async (layout) => {
      const [sink, at] = [await connect(), place(layout)];
      await sync(sink, at, { host: 'db1' });
      const bytes = Buffer.from([0xff, 0xfe]);
      if (layout === 'hash') await raw.hset(at.name, 'host', bytes);
      else await raw.set(`${at.name}host`, bytes);
      const made = await planFor(sink, at, { host: 'db1' });
      await sink.apply(at, made, contextFor(made.entries));
      expect(layout === 'hash' ? await raw.hget(at.name, 'host') : await raw.get(`${at.name}host`)).toBe('db1');
      await sink.restore(at, made.ledger.generation, contextFor([]));
      expect(layout === 'hash' ? await raw.hgetBuffer(at.name, 'host') : await raw.getBuffer(`${at.name}host`)).toEqual(bytes);
    });

    test.each(['hash', 'keys', 'json'] as const)('is refused as a ledger of layout %s', async (layout) => {
      const [sink, at] = [await connect(), place(layout)];
      const made = await planFor(sink, at, { host: canary });
      await raw.rpush(placeKeys(at.name).ledger, 'x');
      await failure(sink.read(at, contextFor([])), 'rejected');
      await failure(sink.apply(at, made, contextFor([])), 'rejected');
      await failure(sink.restore(at, 1, contextFor([])), 'rejected');
      expect(await raw.exists(at.name, `${at.name}host`, placeKeys(at.name).undo)).toBe(0);
    });

    test('is refused by the write if it came after the read, and nothing is written', async () => {
      const [sink, at] = [await connect(), place('keys')];
      const made = await planFor(sink, at, { first: 'x', host: canary });
      await raw.rpush(`${at.name}host`, 'x');
      await failure(sink.apply(at, made, contextFor([])), 'rejected');
      expect(await raw.keys(`*${at.name}*`)).toEqual([`${at.name}host`]);
    });
  });

  describe('an expiry', () => {
    test('of a string comes back with its value, to the millisecond', async () => {
      const [sink, at] = [await connect(), place('keys')];
      const [changed, deleted] = [`${at.name}changed`, `${at.name}deleted`];
      await sync(sink, at, { changed: 'a', deleted: 'b', stays: 'c' });
      const expiry = Date.now() + 1_000_000;
      await raw.pexpireat(changed, expiry);
      await raw.pexpireat(deleted, expiry + 1);
      await sync(sink, at, { changed: 'aa', stays: 'c' });
      expect(await raw.pttl(changed)).toBe(-1);
      await sink.restore(at, 2, contextFor([]));
      expect(await raw.mget(changed, deleted)).toEqual(['a', 'b']);
      expect(Math.abs(Number(await raw.call('PEXPIRETIME', changed)) - expiry)).toBeLessThanOrEqual(1);
      expect(Math.abs(Number(await raw.call('PEXPIRETIME', deleted)) - expiry - 1)).toBeLessThanOrEqual(1);
      expect(await raw.pttl(`${at.name}stays`)).toBe(-1);
    });

    test.each(['hash', 'json'] as const)('of a place of layout %s comes back with it', async (layout) => {
      const [sink, at] = [await connect(), place(layout)];
      await (layout === 'hash' ? raw.hset(at.name, 'host', 'theirs') : raw.set(at.name, '{"host":"theirs"}'));
      const expiry = Date.now() + 1_000_000;
      await raw.pexpireat(at.name, expiry);
      await sync(sink, at, { host: 'ours' });
      await raw.del(at.name);
      await sink.restore(at, 1, contextFor([]));
      expect(Math.abs(Number(await raw.call('PEXPIRETIME', at.name)) - expiry)).toBeLessThanOrEqual(1);
    });

    test('that has passed before the undo leaves nothing behind', async () => {
      const [sink, at] = [await connect(), place('keys')];
      await raw.set(`${at.name}host`, 'theirs', 'PX', 200);
      const expiry = Number(await raw.call('PEXPIRETIME', `${at.name}host`));
      await sync(sink, at, { host: 'ours' });
      expect(await raw.get(`${at.name}host`)).toBe('ours');
      await expect.poll(() => Date.now(), { interval: 20 }).toBeGreaterThan(expiry + 1);
      await sink.restore(at, 1, contextFor([]));
      expect(await raw.exists(`${at.name}host`)).toBe(0);
    });
  });

  test.each(['hash', 'keys'] as const)('a value that is not text is there, is not compared, and comes back byte for byte (%s)', async (layout) => {
    const [sink, at] = [await connect(), place(layout)];
    const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x80]);
    await (layout === 'hash' ? raw.hset(at.name, 'blob', bytes) : raw.set(`${at.name}blob`, bytes));
    const live = await sink.read(at, { ...contextFor([]), keys: ['blob'] });
    expect(live.entries.get('blob')).toBeNull();
    await sync(sink, at, { blob: 'text' });
    await sink.restore(at, 1, contextFor([]));
    expect(await (layout === 'hash' ? raw.hgetBuffer(at.name, 'blob') : raw.getBuffer(`${at.name}blob`))).toEqual(bytes);
  });

  test('an undo record that is gone cannot be undone, and that is said', async () => {
    const [sink, at] = [await connect(), place('hash')];
    await sync(sink, at, { host: 'db1' });
    await raw.del(placeKeys(at.name).undo);
    const error = await failure(sink.restore(at, 1, contextFor([])), 'rejected');
    expect(error.message).toContain(placeKeys(at.name).undo);
    expect(await raw.hgetall(at.name)).toEqual({ host: 'db1' });
  });

  test('what is kept of a document is what stands there, down to exact integers', async () => {
    const [sink, at] = [await connect(), place('json')];
    await sync(sink, at, { host: 'db1' });
    await raw.set(at.name, '{"host":"db1","legacy":{"id":9007199254740993,"__proto__":"x"}}');
    const made = await planFor(sink, at, { host: 'db2' });
    const kept = { ...made, kept: made.deletes.map((each) => each.key), deletes: [] };
    await sink.apply(at, kept, contextFor([]));
    expect(await raw.get(at.name)).toBe('{"host":"db2","legacy":{"id":9007199254740993,"__proto__":"x"}}');
  });

  test('a read is one round trip when nothing is owned beyond what is asked for, and a write is one command', async () => {
    const [sink, at] = [await connect(), place('hash')];
    await sync(sink, at, { host: 'db1', port: 1 });
    const count = async (command: string) => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await raw.info('commandstats'))?.[1] ?? 0);
    const [transactions, scripts] = [await count('exec'), await count('evalsha')];
    await sync(sink, at, { host: 'db2', port: 1 });
    expect([(await count('exec')) - transactions, (await count('evalsha')) - scripts]).toEqual([1, 1]);
  });

  test('a server that forgot the script is given it again', async () => {
    const [sink, at] = [await connect(), place('hash')];
    await sync(sink, at, { host: 'db1' });
    await raw.call('SCRIPT', 'FLUSH');
    await sync(sink, at, { host: 'db2' });
    expect(await raw.hgetall(at.name)).toEqual({ host: 'db2' });
  });

  test('a write whose answer was lost is found done when it comes again, and can be undone', async () => {
    const proxy = await startDeafProxy(server.port);
    onTestFinished(() => proxy.stop());
    const [good, at] = [await connect(), place('hash')];
    const cut = await connect({ url: `redis://127.0.0.1:${proxy.port}`, commandTimeout: '200ms', connectTimeout: '200ms' });
    await sync(good, at, { host: 'db1' });
    const made = await planFor(cut, at, { host: canary, port: 1 });
    proxy.loseReplies();
    await failure(cut.apply(at, made, contextFor([])), 'unavailable');
    await expect.poll(() => raw.hget(at.name, 'host')).toBe(canary);
    const before = [await raw.get(placeKeys(at.name).ledger), await raw.hgetall(placeKeys(at.name).undo)];
    expect(await good.apply(at, made, contextFor([]))).toEqual({ generation: 2, writes: 2 });
    expect([await raw.get(placeKeys(at.name).ledger), await raw.hgetall(placeKeys(at.name).undo)]).toEqual(before);
    await good.restore(at, 2, contextFor([]));
    expect(await raw.hgetall(at.name)).toEqual({ host: 'db1' });
  });

  test('two databases of one server do not see each other', async () => {
    const [zero, five, at] = [await connect(), await connect({ url: `redis://127.0.0.1:${server.port}/5` }), place('hash')];
    await sync(five, at, { host: 'in five' });
    expect((await zero.read(at, contextFor([]))).exists).toBe(false);
  });

  test('a database that the server does not have is refused, and nothing lands in another', async () => {
    const [good, sink, at] = [await connect(), await connect({ url: `redis://127.0.0.1:${server.port}/99` }), place('hash')];
    const made = await planFor(good, at, { host: canary });
    await failure(sink.apply(at, made, contextFor([])), 'rejected');
    expect(await raw.exists(at.name, placeKeys(at.name).ledger)).toBe(0);
  });

  describe('a user', () => {
    async function user(...rules: readonly string[]): Promise<Sink> {
      const username = `user-${randomUUID()}`;
      await raw.call('ACL', 'SETUSER', username, 'on', '>secret', ...rules);
      return connect({ username, password: { env: 'P' } });
    }
    test.each(['hash', 'keys', 'json'] as const)('with the documented permissions can do everything with layout %s', async (layout) => {
      const [sink, at] = [await user(...(await documentedRules())), place(layout)];
      await sync(sink, at, { host: 'db1', old: 'x' });
      await sync(sink, at, { host: 'db2' });
      expect(await sink.restore(at, 2, contextFor([]))).toMatchObject({ generation: 3 });
    });

    test.each(['hset', 'hdel', 'del', 'set', 'pexpireat', 'time'])('without %s is told so, and nothing is half written', async (command) => {
      const [good, sink, at] = [await connect(), await user('~*', '+@all', `-${command}`), place('hash')];
      await sync(good, at, { host: 'db1', old: 'x' });
      const made = await planFor(good, at, { host: canary });
      const before = [await raw.hgetall(at.name), await raw.get(placeKeys(at.name).ledger), await raw.hgetall(placeKeys(at.name).undo)];
      const error = await failure(sink.apply(at, made, contextFor([])), 'unauthorized');
      expect(error.message).toContain(`the command ${command}`);
      expect([await raw.hgetall(at.name), await raw.get(placeKeys(at.name).ledger), await raw.hgetall(placeKeys(at.name).undo)]).toEqual(before);
    });

    test('without a command of the read is told so', async () => {
      const [sink, at] = [await user('~*', '+@all', '-hmget'), place('hash')];
      const error = await failure(sink.read(at, { ...contextFor([]), keys: ['host'] }), 'unauthorized');
      expect(error.message).toContain('the command hmget');
    });
  });
});

describeWith('redis', 'a redis that refuses writes', () => {
  async function refused(args: readonly string[], prepare: (raw: Redis) => Promise<unknown>): Promise<string> {
    const server = await startRedis({ args });
    const raw = new Redis({ host: server.host, port: server.port });
    const sink = await redis.connect(redis.options.parse({ url: server.url }), async () => '');
    onTestFinished(async () => {
      await sink.close();
      raw.disconnect();
      await server.stop();
    });
    const at = place('hash');
    const made = await planFor(sink, at, { host: canary });
    await prepare(raw);
    const { message } = await failure(sink.apply(at, made, contextFor([])), 'unavailable');
    expect(await raw.keys('*')).toEqual([]);
    return message;
  }

  test('for want of memory has written nothing', async () => {
    expect(await refused([], (raw) => raw.config('SET', 'maxmemory', '1'))).toContain('out of memory');
  });

  test('for want of replicas has written nothing', async () => {
    expect(await refused([], (raw) => raw.config('SET', 'min-replicas-to-write', '1'))).toContain('too few replicas');
  });

  test('because it became a replica has written nothing', async () => {
    expect(await refused([], (raw) => raw.call('REPLICAOF', '127.0.0.1', '1'))).toContain('read-only replica');
  });
});

describeWith('redis', 'a node of a cluster', () => {
  test('takes every layout, whose keys are in one slot each', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vartrack-cluster-'));
    const server = await startRedis({ args: ['--cluster-enabled', 'yes', '--dir', folder] });
    const raw = new Redis({ host: server.host, port: server.port });
    const sink = await redis.connect(redis.options.parse({ url: server.url }), async () => '');
    onTestFinished(async () => {
      await sink.close();
      raw.disconnect();
      await server.stop();
      await rm(folder, { recursive: true });
    });
    await raw.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    await expect.poll(() => raw.cluster('INFO'), { timeout: 15_000 }).toContain('cluster_state:ok');

    const attempt = async (name: string, layout: Layout) => {
      const at = place(layout, name);
      await sync(sink, at, { host: 'x', port: 1 });
      return sink.restore(at, 1, contextFor([]));
    };
    for (const [name, layout] of [
      ['acme:prod', 'hash'],
      ['{acme}:prod', 'hash'],
      ['acme:document', 'json'],
      ['{acme}:keys:', 'keys'],
    ] as const) {
      expect(await attempt(name, layout)).toMatchObject({ generation: 2 });
    }
    const error = await failure(attempt('acme:keys:', 'keys'), 'rejected');
    expect(error.message).toContain('hash tag');
  });
});
