import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { driftWorkflowId } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { CONFIG_REPOSITORY, openStack, type Stack } from './stack.ts';

const KEY = 'acme:production';
const CHANNEL = `__keyspace@0__:${KEY}`;
/** Far below the interval of the rule: what is healed within it was told. */
const SOON = { timeout: 20_000 };

describeWith(['temporal', 'redis'], 'a tenant whose sink tells of changes', () => {
  let server: RedisServer;
  let client: Redis;
  let stack: Stack;

  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.url);
    stack = await openStack({
      workers: 2,
      tenant: `${CONFIG_REPOSITORY}
sinks:
  cache: { kind: redis, url: "${server.url}" }
rules:
  settings:
    from: { repository: config, files: ["settings.yaml"] }
    environments: { branches: { main: production } }
    schema: none
    to: [{ sink: cache, place: "acme:{env}" }]
    drift: { mode: heal, interval: 1h }`,
    });
    await stack.push({ 'settings.yaml': 'name: ours\n' });
  }, 90_000);
  afterAll(async () => {
    await stack?.close();
    client?.disconnect();
    await server?.stop();
  });

  it('has a foreign edit healed long before the interval, and hears nothing of what varTrack writes', async () => {
    // The worker that listens may be another than the one that wrote, and asks the remote once a minute which streams there are.
    await expect.poll(subscribers, { timeout: 75_000 }).toBe(1);
    const before = await signals();
    await stack.push({ 'settings.yaml': 'name: newer\n' });
    await client.hset(KEY, 'name', 'foreign');
    await expect.poll(() => client.hget(KEY, 'name'), SOON).toBe('newer');
    await client.hdel(KEY, 'name');
    await expect.poll(() => client.hget(KEY, 'name'), SOON).toBe('newer');
    // One for each edit of the stranger; none for the push and the heals.
    expect((await signals()) - before).toBe(2);
    expect(await subscribers()).toBe(1);
  }, 120_000);

  async function subscribers(): Promise<number> {
    const [, count] = (await client.pubsub('NUMSUB', CHANNEL)) as [string, number];
    return count;
  }

  async function signals(): Promise<number> {
    const { events } = await stack.temporal.client.workflow.getHandle(driftWorkflowId(stack.tenant)).fetchHistory();
    return (events ?? []).filter((event) => event.workflowExecutionSignaledEventAttributes?.signalName === 'checkNow').length;
  }
});
