import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { createFingerprint } from '../../clients/fingerprint.ts';
import { plan } from '../../domain/plan.ts';
import { redis } from '../../sinks/redis.ts';
import type { Place } from '../../sinks/sink.ts';
import { driftWorkflowId } from '../../workflows/messages.ts';
import { policyOf } from '../domain/policy-of.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { startProcess, type ServerProcess } from '../servers/start-process.ts';

const HEARTBEAT_TIMEOUT_MS = 3_000;
const ACTIVITY_TASKS = proto.temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY;
const place: Place = { name: 'app', layout: 'hash', fields: { layout: 'hash' } };

describeWith(['temporal', 'redis'], 'two workers and one tenant', () => {
  const taskQueue = `watch-${randomUUID()}`;
  let server: RedisServer;
  let client: Redis;
  let temporal: Client;
  let connection: Connection;
  const workers: Record<string, ServerProcess> = {};

  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.url);
    connection = await Connection.connect({ address: inject('temporal').address });
    temporal = new Client({ connection });
    await write({ name: 'ours' });
    await Promise.all(['one', 'two'].map(start));
    // Nobody works on it: its history shows the signals.
    await temporal.workflow.start('driftWatchWorkflow', { workflowId: driftWorkflowId(taskQueue), taskQueue });
    const retry = { initialInterval: '100ms', maximumInterval: '100ms' } as const;
    const options = { startToCloseTimeout: '1h', heartbeatTimeout: HEARTBEAT_TIMEOUT_MS, retry } as const;
    await temporal.activity.start('watchTenant', { ...options, id: taskQueue, taskQueue, args: [{ tenant: taskQueue }] });
  });
  afterAll(async () => {
    await temporal?.activity
      .getHandle(taskQueue)
      .terminate('the test is over')
      .catch(() => undefined);
    await temporal?.workflow.getHandle(driftWorkflowId(taskQueue)).terminate();
    await Promise.all(Object.values(workers).map((worker) => worker.stop()));
    await connection?.close();
    client?.disconnect();
    await server?.stop();
  });

  it('are one subscription, which the other takes over at once when its holder stops, and soon after it is killed', async () => {
    const first = await holder();
    await expect.poll(subscribers).toBe(1);
    await client.hset('app', 'name', 'foreign');
    await expect.poll(signals).toBe(1);
    await write({ name: 'ours' });

    const stopped = performance.now();
    await workers[first]?.stop();
    const second = await holder(first);
    await expect.poll(subscribers).toBe(1);
    expect(performance.now() - stopped).toBeLessThan(HEARTBEAT_TIMEOUT_MS - 500);
    expect(await signals()).toBe(1);
    await client.hset('app', 'name', 'foreign');
    await expect.poll(signals).toBe(2);

    await start(first);
    await workers[second]?.kill();
    await expect.poll(subscribers).toBe(0);
    // What happens meanwhile is told by whoever takes over.
    await client.hset('app', 'name', 'foreign again');
    await expect.poll(signals, { timeout: 10_000 }).toBe(3);
    expect(await holder()).toBe(first);
    expect(await subscribers()).toBe(1);
  }, 60_000);

  async function start(name: string): Promise<void> {
    workers[name] = await startProcess({
      program: process.execPath,
      args: () => [join(import.meta.dirname, 'watching-worker.ts')],
      env: { WATCH_REDIS: server.url, WATCH_QUEUE: taskQueue, WATCH_NAME: name, TEMPORAL_ADDRESS: inject('temporal').address, NODE_OPTIONS: '' },
      ready: () => isPolling(name),
    });
  }

  async function isPolling(name: string): Promise<boolean> {
    const { namespace } = inject('temporal');
    const found = await connection.workflowService.describeTaskQueue({ namespace, taskQueue: { name: taskQueue }, taskQueueType: ACTIVITY_TASKS });
    return (found.pollers ?? []).some(({ identity }) => identity === name);
  }

  async function holder(not?: string): Promise<string> {
    let name: string | undefined;
    await expect
      .poll(
        async () => {
          ({ lastWorkerIdentity: name } = await temporal.activity.getHandle(taskQueue).describe());
          return name !== undefined && name !== not;
        },
        { timeout: 10_000 },
      )
      .toBe(true);
    return name ?? '';
  }

  async function subscribers(): Promise<number> {
    const [, count] = (await client.pubsub('NUMSUB', '__keyspace@0__:app')) as [string, number];
    return count;
  }

  async function signals(): Promise<number> {
    const { events } = await temporal.workflow.getHandle(driftWorkflowId(taskQueue)).fetchHistory();
    return (events ?? []).filter((event) => event.workflowExecutionSignaledEventAttributes?.signalName === 'checkNow').length;
  }

  async function write(values: Readonly<Record<string, string>>): Promise<void> {
    const sink = await redis.connect(redis.options.parse({ url: server.url }), () => Promise.resolve(''));
    const fingerprint = createFingerprint('key');
    const context = { signal: new AbortController().signal, keys: Object.keys(values), fingerprint };
    const entries = Object.entries(values).map(([key, value]) => redis.render({ path: [key], value }, { layout: 'hash' }));
    const owner = { tenant: 'acme', rule: 'settings', environment: 'production' };
    const desired = { entries, owner, stream: 'config/main', commit: 'a'.repeat(40), inputsMoved: false, write: randomUUID(), at: new Date().toISOString() };
    const planned = plan(desired, await sink.read(place, context), policyOf(), fingerprint);
    if (planned.kind === 'write') await sink.apply(place, planned, context);
    await sink.close();
  }
});
