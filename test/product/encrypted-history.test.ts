import { randomBytes } from 'node:crypto';
import { Client } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseCodecKeys } from '../../clients/codec-key.ts';
import { codecKeyIdOf, createPayloadCodec } from '../../clients/payload-codec.ts';
import { startSync } from '../../clients/start-sync.ts';
import { syncWorkflowId, type SyncRequest } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { CONFIG_REPOSITORY, openStack, type Stack } from './stack.ts';

describeWith(['temporal', 'redis'], 'with VARTRACK_CODEC_KEY and VARTRACK_REQUIRE_ENCRYPTION', () => {
  let redis: RedisServer;
  let client: Redis;
  let stack: Stack;
  const codecKey = randomBytes(32).toString('base64');
  const codec = createPayloadCodec(parseCodecKeys(codecKey));
  beforeAll(async () => {
    process.env['VARTRACK_REQUIRE_ENCRYPTION'] = 'true';
    redis = await startRedis();
    client = new Redis(redis.url);
    stack = await openStack({
      codecKey,
      tenant: `${CONFIG_REPOSITORY}
sinks:
  cache: { kind: redis, url: "${redis.url}" }
rules:
  ruleofmine:
    from: { repository: config, files: [ "a.yaml" ] }
    environments: { branches: { main: production } }
    schema: { file: a.cue }
    to: [ { sink: cache, place: "placeofmine:{env}" } ]
`,
    });
  });
  afterAll(async () => {
    await stack?.close();
    client?.disconnect();
    await redis?.stop();
    delete process.env['VARTRACK_REQUIRE_ENCRYPTION'];
  });

  it('a run works and fails as ever, and neither names nor messages can be read in its history', async () => {
    expect(await stack.push({ 'a.yaml': 'keyofmine: 1\n', 'a.cue': 'keyofmine: int\n' })).toMatchObject({ status: 'Synced' });
    expect(await client.hgetall('placeofmine:production')).toEqual({ keyofmine: '1' });
    expect(await history()).not.toMatch(/ofmine/);
    expect(await stack.push({ 'a.yaml': 'keyofmine: text\n' })).toMatchObject({ status: 'Rejected' });
    expect(await history()).not.toMatch(/ofmine/);
  });

  it('every payload of a run is bound to its workflow', async () => {
    const { payloads, workflowId } = await payloadsOfLastRun();
    expect(payloads.length).toBeGreaterThan(5);
    const owners = payloads.map(({ metadata }) => Buffer.from(metadata?.['encryption-bound-to'] ?? []).toString());
    expect(new Set(owners)).toEqual(new Set([workflowId]));
  });

  it('a push that somebody without the key puts into Temporal is not taken, and writes nothing', async () => {
    const commit = await stack.repository.commit({ 'a.yaml': 'keyofmine: 2\n' });
    const { connection, namespace } = stack.temporal;
    const request: SyncRequest = { id: 'forged', ref: { kind: 'branch', name: 'main' }, commit, trigger: 'push' };
    // Without a data converter, as anyone with access to Temporal has one.
    const forged = await startSync(new Client({ connection, namespace }), { tenant: stack.tenant, repository: 'config', stream: 'main' }, request, {
      taskQueue: `test-${stack.tenant}`,
    });
    const execution = { workflowId: forged.workflowId };
    const failures = async (): Promise<readonly string[]> => {
      const { history: events } = await connection.workflowService.getWorkflowExecutionHistory({ namespace, execution });
      const sealed = (events?.events ?? []).flatMap((event) => event.workflowTaskFailedEventAttributes?.failure?.encodedAttributes ?? []);
      return (await codec.decode(sealed)).map(({ data }) => Buffer.from(data ?? []).toString());
    };
    await expect.poll(failures, { timeout: 20_000, interval: 100 }).toContainEqual(expect.stringContaining('VARTRACK_REQUIRE_ENCRYPTION'));
    expect(await client.hgetall('placeofmine:production')).toEqual({ keyofmine: '1' });
    await stack.temporal.client.workflow.getHandle(forged.workflowId).terminate('it was forged');
    expect(await stack.push({ 'a.yaml': 'keyofmine: 3\n' })).toMatchObject({ status: 'Synced' });
  });

  async function payloadsOfLastRun(): Promise<{ readonly payloads: readonly Payload[]; readonly workflowId: string }> {
    const workflowId = syncWorkflowId(stack.tenant, 'config', 'main');
    const { client, namespace } = stack.temporal;
    const { history: events } = await client.workflowService.getWorkflowExecutionHistory({ namespace, execution: { workflowId } });
    return { payloads: payloadsIn(events).filter((payload) => codecKeyIdOf(payload) !== undefined), workflowId };
  }

  /** Every byte of the last run's history, as the server has it. */
  async function history(): Promise<string> {
    const execution = { workflowId: syncWorkflowId(stack.tenant, 'config', 'main') };
    const { history: events } = await stack.temporal.client.workflowService.getWorkflowExecutionHistory({ namespace: stack.temporal.namespace, execution });
    const text = readableIn(events);
    // What is not encrypted would be seen here: search attributes are the proof.
    expect(text).toContain('binary/encrypted');
    expect(text).toContain('SyncStatus');
    expect(text).toContain(stack.tenant);
    return text;
  }
});

/** Every name, string and byte of a message, one after the other. */
function readableIn(part: unknown): string {
  if (typeof part === 'string') return part;
  if (part instanceof Uint8Array) return Buffer.from(part).toString('latin1');
  if (typeof part !== 'object' || part === null) return '';
  return Object.entries(part)
    .map(([name, value]) => `${name} ${readableIn(value)}`)
    .join('\n');
}

function payloadsIn(part: unknown): readonly Payload[] {
  if (typeof part !== 'object' || part === null || part instanceof Uint8Array) return [];
  const own = 'metadata' in part && 'data' in part ? [part as Payload] : [];
  return [...own, ...Object.values(part).flatMap(payloadsIn)];
}
