import { expect, onTestFinished, test, vi } from 'vitest';
import { redis } from '../../../sinks/redis.ts';
import type { Sink } from '../../../sinks/sink.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startRedisSentinel, type SentinelSetup } from '../../servers/redis-sentinel.ts';
import { contextFor, failure } from '../contract/scenario.ts';
import { keepWriting } from './keep-writing.ts';
import { place, planFor, sync } from './sync.ts';

describeWith('redis', 'the redis sink behind a sentinel', () => {
  async function start(): Promise<SentinelSetup> {
    const setup = await startRedisSentinel();
    onTestFinished(() => setup.stop());
    return setup;
  }

  async function connect({ name, url, password }: SentinelSetup, sentinel: Readonly<Record<string, unknown>> = {}): Promise<Sink> {
    const watched = { name, nodes: [url], password: { env: password }, ...sentinel };
    const options = redis.options.parse({ sentinel: watched, connectTimeout: '1s', commandTimeout: '2s' });
    const sink = await redis.connect(options, async (reference) => ('env' in reference ? reference.env : ''));
    onTestFinished(() => sink.close());
    return sink;
  }

  test('asks the next sentinel where one is gone, and says what keeps it from the primary', async () => {
    const setup = await start();
    const at = place('hash');
    const sink = await connect(setup, { nodes: ['redis://127.0.0.1:1', setup.url], database: 3 });
    await sync(sink, at, { host: 'db1' });
    await setup.raw.primary.select(3);
    expect(await setup.raw.primary.hgetall(at.name)).toEqual({ host: 'db1' });

    const read = async (sentinel: Readonly<Record<string, unknown>>) => (await connect(setup, sentinel)).read(at, contextFor([]));
    expect((await failure(read({ nodes: ['redis://127.0.0.1:1'] }), 'unavailable')).message).toContain('sentinel redis://127.0.0.1:1: not reachable');
    expect((await failure(read({ password: { env: 'wrong' } }), 'unauthorized')).message).toContain(`sentinel ${setup.url}`);
    expect((await failure(read({ password: undefined }), 'unauthorized')).message).toContain('asks for a password');
    expect((await failure(read({ name: 'other' }), 'rejected')).message).toContain('knows no primary of the name other');
  });

  test('a primary that dies during writes is replaced, and no place has values that its ledger does not know', async () => {
    const setup = await start();
    const sink = await connect(setup);
    const places = [place('hash'), place('json'), place('keys')];
    const { written, failures, stopConsistent } = keepWriting(sink, places);
    await expect.poll(written).toBeGreaterThan(20);
    await setup.primary.kill();
    await expect.poll(() => failures.length, { timeout: 10_000 }).toBeGreaterThan(0);
    const isPromoted = async () => (await setup.raw.replica.info('replication')).includes('role:master');
    await expect.poll(isPromoted, { timeout: 20_000 }).toBe(true);
    const before = await setup.raw.replica.hget(places[0]?.name ?? '', 'port');
    await expect.poll(() => setup.raw.replica.hget(places[0]?.name ?? '', 'port'), { timeout: 10_000 }).not.toBe(before);
    await stopConsistent();
  }, 60_000);

  test('a primary that was demoted refuses the write, and the next call goes to the new one', async () => {
    const setup = await start();
    const [sink, at] = [await connect(setup), place('hash')];
    await sync(sink, at, { host: 'db1' });
    const made = await planFor(sink, at, { host: 'db2' });
    // Replication lags, and a failover that loses the first write is not what this is about. WAIT waits for the writes of its own connection only.
    await setup.raw.primary.set('marker', 'x');
    expect(await setup.raw.primary.wait(1, 10_000)).toBe(1);
    // What a failover does to them, before the sentinel and the open connection hear of it.
    await setup.raw.replica.call('REPLICAOF', 'NO', 'ONE');
    await setup.raw.primary.call('REPLICAOF', '127.0.0.1', String(setup.replica.port));
    const error = await failure(sink.apply(at, made, contextFor([])), 'unavailable');
    expect(error.message).toContain('read-only replica');
    // The sentinel still names the old one, whose role gives it away.
    await failure(sink.read(at, contextFor([])), 'unavailable');
    await setup.raw.sentinel.call('SENTINEL', 'REMOVE', setup.name);
    await setup.raw.sentinel.call('SENTINEL', 'MONITOR', setup.name, '127.0.0.1', String(setup.replica.port), '1');
    expect(await sink.apply(at, made, contextFor([]))).toMatchObject({ generation: 2 });
    expect(await setup.raw.replica.hgetall(at.name)).toEqual({ host: 'db2' });
  });

  test('a watch ends with its primary, and the next one is of the new primary', async () => {
    const setup = await start();
    const [sink, at] = [await connect(setup), place('hash')];
    const abort = new AbortController();
    const begin = (told: () => void): Promise<void> | undefined => sink.watch?.([at], told, abort.signal);

    const stands = Promise.withResolvers<void>();
    const first = begin(stands.resolve);
    await Promise.race([stands.promise, first]);
    await setup.raw.replica.call('REPLICAOF', 'NO', 'ONE');
    await setup.raw.sentinel.call('SENTINEL', 'REMOVE', setup.name);
    await setup.raw.sentinel.call('SENTINEL', 'MONITOR', setup.name, '127.0.0.1', String(setup.replica.port), '1');
    await setup.primary.kill();
    await failure(Promise.resolve(first), 'unavailable');

    let times = 0;
    const second = begin(() => times++);
    await Promise.race([second, vi.waitUntil(() => times === 1, { timeout: 5_000 })]);
    await setup.raw.replica.hset(at.name, 'host', 'by hand');
    await expect.poll(() => times).toBe(2);
    abort.abort();
    await second;
  });
});
