import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { RunStatus } from '../../domain/status.ts';
import { checkNowSignal, forceHealSignal, pauseSignal, resumeSignal, syncWorkflowId } from '../../workflows/messages.ts';
import { searchAttributes } from '../../workflows/search-attributes.ts';
import { controlSinks, type SinkCall } from '../races/controlled-sinks.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { openStack, type Stack } from './stack.ts';
import { eventually, watchOf } from './watch-of.ts';

const CACHE = 'app/production/0';
const PLACE = 'app:production';
vi.setConfig({ testTimeout: 60_000 });

describeWith(['temporal', 'redis'], 'a pause (I12)', () => {
  const sinks = controlSinks();
  let redis: RedisServer;
  let client: Redis;
  let stack: Stack;

  beforeAll(async () => {
    redis = await startRedis();
    client = new Redis(redis.url);
    await may('on', '>redis-secret', '+@all', '~*');
    stack = await openStack({
      definitions: sinks.definitions,
      env: { REDIS_PASSWORD: 'redis-secret' },
      tenant: `
repositories:
  config: { provider: generic, url: "{repository}", webhookSecret: { env: STACK_WEBHOOK_SECRET }, poll: 1s }
sinks:
  cache: { kind: redis, url: "${redis.url}", username: vartrack, password: { env: REDIS_PASSWORD } }
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:
  app:
    from: { repository: config, files: [ "app.yaml" ] }
    environments: { branches: { main: production } }
    schema: none
    to: [ { sink: cache, place: "app:{env}" }, { sink: files, place: "{dir}/files/{env}.json", format: json } ]
    drift: { mode: heal, interval: 1s }
`,
    });
  });
  afterAll(async () => {
    await stack?.close();
    client?.disconnect();
    await redis?.stop();
  });
  beforeEach(async () => {
    sinks.reset();
    await may('resetkeys', '~*');
    await watch().signal(resumeSignal, { by: 'ann' });
    await stack.push({ 'app.yaml': settings('good') });
    await allGood();
    sinks.reset();
  });

  const may = (...rights: readonly string[]) => client.call('ACL', 'SETUSER', 'vartrack', ...rights);
  const watch = () => watchOf(stack);
  const values = async (): Promise<readonly unknown[]> => {
    const text = await readFile(join(stack.directory, 'files/production.json'), 'utf8');
    return [await client.hget(PLACE, 'name'), (JSON.parse(text) as { readonly name: unknown }).name];
  };
  const allGood = () =>
    eventually(async () => {
      expect(await watch().state()).toMatchObject({ status: 'InSync', pause: null, streams: [] });
      expect(await values()).toEqual(['good', 'good']);
    });
  const spoil = () => client.hset(PLACE, 'name', 'by hand');
  const applies = () => sinks.records.filter(({ op }) => op === 'apply');

  async function pause(): Promise<void> {
    await watch().signal(pauseSignal, { by: 'ann', reason: 'maintenance' });
    await eventually(async () => expect(await watch().pause()).toMatchObject({ by: 'ann' }));
  }
  async function lastRun(): Promise<readonly [RunStatus | undefined, string | undefined]> {
    const { status, typedSearchAttributes: found } = await stack.temporal.client.workflow.getHandle(syncWorkflowId(stack.tenant, 'config', 'main')).describe();
    return status.name === 'RUNNING' ? [undefined, undefined] : [found.get(searchAttributes.status) as RunStatus, found.get(searchAttributes.trigger)];
  }

  it('parks a push whose write had begun: what it wrote is put back, and applied on resume', async () => {
    const held = sinks.hold('before', ({ op, kind }) => op === 'apply' && kind === 'redis');
    await stack.deliver(await stack.repository.commit({ 'app.yaml': settings('pushed') }));
    await held.reached;
    await pause();
    held.release('unavailable');
    await eventually(async () => expect((await lastRun())[0]).toBe('Parked'));
    expect(await values()).toEqual(['good', 'good']);
    await eventually(async () => expect(await watch().state()).toMatchObject({ status: 'Pending', streams: [{ state: 'moved' }] }));
    await watch().signal(resumeSignal, { by: 'ann' });
    await eventually(async () => expect(await values()).toEqual(['pushed', 'pushed']));
  });

  it('parks a heal whose write had begun, and drift is still told', async () => {
    const held = sinks.hold('before', ({ op, kind }) => op === 'apply' && kind === 'redis');
    await spoil();
    await held.reached;
    await pause();
    held.release('unavailable');
    await eventually(async () => expect(await lastRun()).toEqual(['Parked', 'heal']));
    await eventually(async () => expect(await watch().target(CACHE)).toMatchObject({ status: 'Drifted', keys: [{ key: 'name', drift: 'changed' }] }));
    expect(await values()).toEqual(['by hand', 'good']);
    await watch().signal(resumeSignal, { by: 'ann' });
    await eventually(async () => expect(await values()).toEqual(['good', 'good']));
  });

  it('keeps a retry that is due from starting, and a person’s heal as well', async () => {
    await may('resetkeys', '%R~*');
    expect(await stack.push({ 'app.yaml': settings('refused') })).toMatchObject({ status: 'RolledBack' });
    await eventually(async () => expect((await watch().state()).streams).toMatchObject([{ state: 'failed', nextAttemptAt: expect.any(String) as string }]));
    const [{ nextAttemptAt = '' } = {}] = (await watch().state()).streams;
    await pause();
    await may('resetkeys', '~*');
    await spoil();
    await watch().signal(forceHealSignal, { by: 'bob', force: true });
    await eventually(async () => expect(Date.parse((await watch().state()).checkedAt ?? '')).toBeGreaterThan(Date.parse(nextAttemptAt)));
    expect(await watch().state()).toMatchObject({ status: 'Drifted', streams: [{ state: 'failed' }] });
    expect(applies().filter(({ kind }) => kind === 'redis')).toEqual([]);
    expect(await values()).toEqual(['by hand', 'good']);
    expect(await watch().page()).toMatch(/ignored a signal: forceHeal by bob/);
    await watch().signal(resumeSignal, { by: 'ann' });
    await eventually(async () => expect(await values()).toEqual(['refused', 'refused']));
  });

  it('that comes while a poll is under way keeps what the poll finds from starting', async () => {
    // Each check reads it once, after it has asked for the heads.
    const isLook = ({ op, kind }: SinkCall): boolean => op === 'read' && kind === 'redis';
    const held = sinks.hold('before', isLook);
    await held.reached;
    await stack.repository.commit({ 'app.yaml': settings('moved') });
    const polling = sinks.hold('before', isLook);
    await watch().signal(checkNowSignal, {});
    held.release();
    await polling.reached;
    await pause();
    polling.release();
    await eventually(async () => expect(await watch().state()).toMatchObject({ streams: [{ state: 'moved' }] }));
    const { checkedAt } = await watch().state();
    await eventually(async () => expect((await watch().state()).checkedAt).not.toBe(checkedAt));
    expect(applies()).toEqual([]);
    expect(await values()).toEqual(['good', 'good']);
    await watch().signal(resumeSignal, { by: 'ann' });
    await eventually(async () => expect(await values()).toEqual(['moved', 'moved']));
  });
});

function settings(name: string): string {
  return `name: ${name}\n# ${randomUUID()}\n`;
}
