// A worker that holds subscriptions and nothing else, as a process of its own: the test kills it. Its one target is a hash of a Redis, its tenant is called
// as its task queue is.
import { NativeConnection, Worker } from '@temporalio/worker';
import { createSinkPool } from '../../activities/sink-pool.ts';
import { createWatchActivities, WATCH_TIMES } from '../../activities/watch-tenant.ts';
import { createFingerprint } from '../../clients/fingerprint.ts';
import { connectTemporal } from '../../clients/temporal.ts';
import type { Bundle, Rule } from '../../domain/bundle.ts';
import { redis } from '../../sinks/redis.ts';

async function run({ WATCH_REDIS: url = '', WATCH_QUEUE: taskQueue = '', WATCH_NAME: identity = '', TEMPORAL_ADDRESS: address = '' }: NodeJS.ProcessEnv) {
  const { client, namespace } = await connectTemporal(undefined);
  const bundle = { tenants: { [taskQueue]: { sinks: { cache: { kind: 'redis', options: redis.options.parse({ url }) } } } } } as unknown as Bundle;
  const sinks = createSinkPool({ redis }, () => Promise.resolve(''));
  const policy = { prune: true, protect: [] as string[], drift: { mode: 'heal', intervalMs: 60_000, ignore: [] as string[] } } as unknown as Rule;
  const place = { name: 'app', layout: 'hash', fields: { layout: 'hash' } };
  const capabilities = { values: 'readable', ownership: 'keys', atomicity: 'place' } as const;
  const targets = [{ id: 'settings/production/0', sink: 'cache', kind: 'redis', place, capabilities, policy }];
  const activities = createWatchActivities(
    { bundle: () => bundle, sinks, fingerprint: createFingerprint('key'), client },
    { targetsOf: () => Promise.resolve({ targets }), observer: { moved: () => undefined }, times: { ...WATCH_TIMES, heartbeatMs: 500 } },
  );
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({ connection, namespace, taskQueue, identity, activities: { ...activities }, maxHeartbeatThrottleInterval: '500ms' });
  process.once('SIGTERM', () => worker.shutdown());
  await worker.run();
  process.exit(0);
}

await run(process.env);
