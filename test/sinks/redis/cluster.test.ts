import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { placeKeys } from '../../../sinks/redis/place-keys.ts';
import { keySlot } from '../../../sinks/redis/key-slot.ts';
import { redis } from '../../../sinks/redis.ts';
import type { Place, Sink } from '../../../sinks/sink.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startRedisCluster, type ClusterNode, type RedisCluster } from '../../servers/redis-cluster.ts';
import { canary, contextFor, failure } from '../contract/scenario.ts';
import { place, planFor, sync } from './sync.ts';

describeWith('redis', 'the redis sink, while a cluster changes', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster({ replicas: true });
  });
  afterAll(() => cluster.stop());

  async function connect(nodes: readonly string[] = cluster.urls): Promise<Sink> {
    const options = redis.options.parse({ cluster: { nodes }, connectTimeout: '1s', commandTimeout: '2s' });
    const sink = await redis.connect(options, async () => '');
    onTestFinished(() => sink.close());
    return sink;
  }

  async function ownerOf(at: Place): Promise<{ readonly slot: string; readonly source: ClusterNode; readonly target: ClusterNode }> {
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

  describe('a slot that is being moved', () => {
    async function begin(at: Place) {
      const { slot, source, target } = await ownerOf(at);
      await target.raw.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', source.id);
      await source.raw.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target.id);
      const move = (...keys: readonly string[]) => source.raw.call('MIGRATE', '127.0.0.1', String(target.port), '', '0', '1000', 'KEYS', ...keys);
      const finish = async () => {
        for (const node of [target, source, ...cluster.primaries]) await node.raw.call('CLUSTER', 'SETSLOT', slot, 'NODE', target.id);
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
  });
});
