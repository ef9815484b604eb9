import { Cluster } from 'ioredis';
import { redis } from '../../sinks/redis.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startRedisCluster } from '../servers/redis-cluster.ts';
import { describeSinkContract, type Bench } from './contract.ts';
import { createBench, type Layout } from './redis/bench.ts';

// The case of 10,000 keys runs the same code as on a single server, where it is large; here it is only there.
const large = { keys: 200, characters: 10_000 };

describeWith('redis', 'the redis sink on a cluster of three', () => {
  for (const layout of ['hash', 'keys', 'json'] as const) {
    describeSinkContract(layout, { definition: redis, destination: { layout }, large, values: 'together', start: () => startBench(layout) });
  }
});

async function startBench(layout: Layout): Promise<Bench> {
  const cluster = await startRedisCluster();
  const raw = new Cluster([...cluster.urls]);
  raw.on('error', () => undefined);
  return createBench(layout, {
    raw,
    servers: cluster.primaries.map((node) => node.raw),
    options: (port) => ({ cluster: { nodes: port === undefined ? cluster.urls : [`redis://127.0.0.1:${port}`] } }),
    outage: { begin: () => cluster.kill(), end: () => cluster.start() },
    stop: () => cluster.stop(),
  });
}
