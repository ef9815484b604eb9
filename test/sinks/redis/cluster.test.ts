import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { placeKeys } from '../../../sinks/redis/place-keys.ts';
import { keySlot } from '../../../sinks/redis/key-slot.ts';
import { redis } from '../../../sinks/redis.ts';
import type { Place, Sink } from '../../../sinks/sink.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startRedisCluster, type ClusterNode, type RedisCluster } from '../../servers/redis-cluster.ts';
import { canary, contextFor, failure } from '../contract/scenario.ts';
import { keepWriting } from './keep-writing.ts';
import { place, planFor, sync } from './sync.ts';

async function connectTo(nodes: readonly string[]): Promise<Sink> {
  const options = redis.options.parse({ cluster: { nodes }, connectTimeout: '1s', commandTimeout: '2s' });
  const sink = await redis.connect(options, async () => '');
  onTestFinished(() => sink.close());
  return sink;
}

async function ownerOf(cluster: RedisCluster, at: Place): Promise<{ readonly slot: string; readonly source: ClusterNode; readonly target: ClusterNode }> {
  const slot = keySlot(at.name);
  const ranges = (await cluster.primaries[0]?.raw.call('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
  const port = ranges.find(([first, last]) => first <= slot && slot <= last)?.[2][1];
  const source = cluster.primaries.find((node) => node.port === port);
  const target = cluster.primaries.find((node) => node.port !== port);
  if (!source || !target) throw new Error('no node has the slot');
  return { slot: String(slot), source, target };
}

async function stateAt(node: ClusterNode, at: Place): Promise<unknown> {
  const { ledger, undo } = placeKeys(at.name);
  const replies = [];
  for (const command of [
    ['HGETALL', at.name],
    ['GET', ledger],
    ['HGETALL', undo],
  ] as const) {
    const [name, key] = command;
    replies.push(await node.raw.call(name, key).catch(String));
  }
  return replies;
}

describeWith('redis', 'the redis sink, while a cluster changes', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  });
  afterAll(() => cluster.stop());

  const connect = (nodes = cluster.urls): Promise<Sink> => connectTo(nodes);

  describe('a slot that is being moved', () => {
    async function begin(at: Place) {
      const { slot, source, target } = await ownerOf(cluster, at);
      await target.raw.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', source.id);
      await source.raw.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target.id);
      const move = (...keys: readonly string[]) => source.raw.call('MIGRATE', '127.0.0.1', String(target.port), '', '0', '1000', 'KEYS', ...keys);
      const finish = async () => {
        for (const node of [target, source, ...cluster.primaries]) await node.raw.call('CLUSTER', 'SETSLOT', slot, 'NODE', target.id);
        // A node may still hear of the old owner from another one, and point back for a moment.
        await expect.poll(async () => (await ownerOf(cluster, at)).source.id, { timeout: 10_000 }).toBe(target.id);
        const others = cluster.primaries.filter((node) => node !== target);
        const pointers = () => Promise.all(others.map((node) => node.raw.call('EXISTS', at.name).catch(String)));
        await expect.poll(pointers, { timeout: 10_000 }).toEqual(others.map(() => expect.stringContaining(`127.0.0.1:${target.port}`) as string));
      };
      return { source, target, move, finish };
    }

    test('refuses a write of keys that are all still there, whole, and takes it when it has moved', async () => {
      const [sink, at] = [await connect(), place('hash')];
      await sync(sink, at, { host: 'db1', port: 1 });
      const made = await planFor(sink, at, { host: canary });
      const { source, target, move, finish } = await begin(at);
      const before = await stateAt(source, at);
      const error = await failure(sink.apply(at, made, contextFor([])), 'unavailable');
      expect(error.message).toContain('moving');
      expect(await stateAt(source, at)).toEqual(before);
      await move(at.name, placeKeys(at.name).ledger, placeKeys(at.name).undo);
      await finish();
      expect(await sink.apply(at, made, contextFor([]))).toMatchObject({ generation: 2 });
      await sink.restore(at, 2, contextFor([]));
      expect(await target.raw.hgetall(at.name)).toEqual({ host: 'db1', port: '1' });
    });

    test('gives an absent place to nobody until it has moved', async () => {
      const [sink, at] = [await connect(), place('json')];
      const made = await planFor(sink, at, { host: 'db1' });
      const { finish } = await begin(at);
      await failure(sink.read(at, contextFor([])), 'unavailable');
      await failure(sink.apply(at, made, contextFor([])), 'unavailable');
      await finish();
      expect(await sink.apply(at, made, contextFor([]))).toMatchObject({ generation: 1 });
    });

    test('that has half moved fails reads and writes, which change nothing on either side', async () => {
      const at = place('keys', `{${randomUUID()}}:`);
      const sink = await connect();
      await sync(sink, at, { host: 'db1', port: 1 });
      const made = await planFor(sink, at, { host: canary, port: 2 });
      const { source, target, move, finish } = await begin(at);
      await move(`${at.name}host`);
      const before = [await stateAt(source, at), await source.raw.get(`${at.name}port`)];
      await failure(sink.read(at, { ...contextFor([]), keys: ['host', 'port'] }), 'unavailable');
      await failure(sink.apply(at, made, contextFor([])), 'unavailable');
      await failure(sink.restore(at, 1, contextFor([])), 'unavailable');
      expect([await stateAt(source, at), await source.raw.get(`${at.name}port`)]).toEqual(before);
      await move(`${at.name}port`, placeKeys(at.name).ledger, placeKeys(at.name).undo);
      await finish();
      expect(await sink.restore(at, 1, contextFor([]))).toMatchObject({ generation: 2 });
      expect(await target.raw.exists(`${at.name}host`, `${at.name}port`)).toBe(0);
    });

    test('is followed to its new node by a connection that knew the old one, in the same call', async () => {
      const [sink, at] = [await connect(), place('hash')];
      await sink.read(at, contextFor([]));
      const { finish } = await begin(at);
      await finish();
      expect(await sync(sink, at, { host: 'db1' })).toMatchObject({ generation: 1 });
    });
  });

  test('through one node of the list that is up, all are found', async () => {
    const [sink, at] = [await connect(['redis://127.0.0.1:1', cluster.urls[2] ?? '']), place('hash')];
    for (let index = 0; index < 8; index++) await sync(sink, place('hash'), { host: `db${index}` });
    expect(await sync(sink, at, { host: 'db1' })).toMatchObject({ generation: 1 });
  });

  test('a server alone is told to be written as a cluster', async () => {
    const options = redis.options.parse({ url: cluster.urls[0] });
    const sink = await redis.connect(options, async () => '');
    onTestFinished(() => sink.close());
    const outcomes = await Promise.allSettled(Array.from({ length: 12 }, () => sink.read(place('hash'), contextFor([]))));
    const messages = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [String(outcome.reason)] : []));
    expect(messages.length).toBeGreaterThan(0);
    expect(messages.join('\n')).toContain('write cluster: { nodes: [...] }');
  });
});

describeWith('redis', 'the redis sink, on a cluster that loses a primary', () => {
  test('fails what is under way and goes on with the replica, and no place has values that its ledger does not know', async () => {
    const cluster = await startRedisCluster({ replicas: true });
    onTestFinished(() => cluster.stop());
    const sink = await connectTo(cluster.urls);
    const at = place('hash');
    const { source } = await ownerOf(cluster, at);
    const tag = at.name;
    const places = [at, place('json', `{${tag}}:document`), place('keys', `{${tag}}:keys:`)];
    for (const each of places) await sync(sink, each, { host: 'db0' });
    const { written, failures, stopConsistent } = keepWriting(sink, places);
    await expect.poll(written).toBeGreaterThan(20);
    await source.kill();
    await expect.poll(() => failures.length, { timeout: 10_000 }).toBeGreaterThan(0);
    const during = written();
    const recovered = async () =>
      (await Promise.allSettled(places.map((each) => sink.read(each, contextFor([]))))).every(({ status }) => status === 'fulfilled');
    await expect.poll(recovered, { timeout: 20_000 }).toBe(true);
    await expect.poll(written).toBeGreaterThan(during + 20);
    await stopConsistent();
  });
});
