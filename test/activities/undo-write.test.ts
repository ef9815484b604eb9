import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { undoWrite } from '../../activities/undo-write.ts';
import { createFingerprint } from '../../clients/fingerprint.ts';
import { plan, type WritePlan } from '../../domain/plan.ts';
import { redis } from '../../sinks/redis.ts';
import type { Place, Sink } from '../../sinks/sink.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { policyOf } from '../domain/policy-of.ts';

const OWNER = { tenant: 'acme', rule: 'settings', environment: 'production' };
const place: Place = { name: 'app', layout: 'hash', fields: { layout: 'hash' } };
const fingerprint = createFingerprint('key');
const context = { signal: new AbortController().signal, keys: ['name'], fingerprint };
const fields = { layout: 'hash' as const };

describeWith('redis', 'undoing a write', () => {
  let server: RedisServer;
  let client: Redis;
  let sink: Sink;
  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.url);
    sink = await redis.connect(redis.options.parse({ url: server.url }), () => Promise.resolve(''));
  });
  afterAll(async () => {
    await sink?.close();
    client?.disconnect();
    await server?.stop();
  });
  beforeEach(async () => {
    await client.flushall();
    await write('run-0/1/settings/production/0', 'before');
  });

  it('does not hide the write of a later round of the same run, which may have to be undone itself', async () => {
    const [older, newer] = ['run-1/1/settings/production/0', 'run-1/2/settings/production/0'];
    await write(older, 'older');
    expect(await undo(older)).toBe('restored');
    await write(newer, 'newer');
    // An attempt of the first undo that was stopped and goes on now.
    await undo(older);
    expect(await undo(newer)).toBe('restored');
    expect(await client.hget('app', 'name')).toBe('before');
  });

  it('moves the ledger on where nothing was written, so that a late attempt meets a conflict', async () => {
    const late = await planOf('run-1/1/settings/production/0', 'late');
    expect(await undo('run-1/1/settings/production/0')).toBe('fenced');
    await expect(sink.apply(place, late, context)).rejects.toMatchObject({ reason: 'conflict' });
    expect(await client.hget('app', 'name')).toBe('before');
  });

  it('is done where a sink that took the right to write away holds nothing of it, and not where it does', async () => {
    const id = 'run-1/1/settings/production/0';
    await client.call('ACL', 'SETUSER', 'vartrack', 'on', '>secret', '+@all', '~*');
    const options = redis.options.parse({ url: server.url, username: 'vartrack', password: { env: 'P' } });
    const ours = await redis.connect(options, () => Promise.resolve('secret'));
    onTestFinished(() => ours.close());

    await client.call('ACL', 'SETUSER', 'vartrack', 'resetkeys', '%R~*');
    expect(await undo(id, ours)).toBe('fenced');
    expect(await client.hget('app', 'name')).toBe('before');

    await write(id, 'after');
    await expect(undo(id, ours)).rejects.toMatchObject({ reason: 'unauthorized' });
    await client.call('ACL', 'SETUSER', 'vartrack', 'resetkeys', '~*');
    expect(await undo(id, ours)).toBe('restored');
    expect(await client.hget('app', 'name')).toBe('before');
  });

  async function planOf(id: string, text: string): Promise<WritePlan> {
    const entries = [redis.render({ path: ['name'], value: text }, fields)];
    const desired = { entries, owner: OWNER, stream: 'config/main', commit: 'a'.repeat(40), inputsMoved: false, write: id, at: '' };
    const made = plan(desired, await sink.read(place, context), policyOf(), fingerprint);
    if (made.kind !== 'write') throw new Error(`the plan is ${made.kind}`);
    return made;
  }

  async function write(id: string, text: string): Promise<void> {
    await sink.apply(place, await planOf(id, text), context);
  }

  function undo(write: string, through = sink): Promise<string> {
    return undoWrite(through, { ...context, place, writes: [write], owner: OWNER, stream: 'config/main', commit: 'a'.repeat(40), at: new Date() });
  }
});
