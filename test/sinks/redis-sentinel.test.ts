import { redis } from '../../sinks/redis.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startRedisSentinel } from '../servers/redis-sentinel.ts';
import { describeSinkContract, type Bench } from './contract.ts';
import { createBench } from './redis/bench.ts';

describeWith('redis', 'the redis sink behind a sentinel', () => {
  describeSinkContract('hash', {
    definition: redis,
    destination: { layout: 'hash' },
    // The 10,000 keys are written on a single server, by the same code.
    large: { keys: 200, characters: 10_000 },
    values: 'together',
    cannot: { outage: 'a server that goes away is replaced: test/sinks/redis/sentinel.test.ts' },
    start: startBench,
  });
});

async function startBench(): Promise<Bench> {
  const { name, url, password, raw, stop } = await startRedisSentinel();
  return createBench('hash', {
    raw: raw.primary,
    servers: [raw.primary],
    options: (port) => ({ sentinel: { name, nodes: [port === undefined ? url : `redis://127.0.0.1:${port}`], password: { env: password } } }),
    stop,
  });
}
