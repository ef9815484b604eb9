import { randomUUID } from 'node:crypto';
import { rm, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createPauseReader } from '../../activities/pause.ts';
import type { RunOutcome } from '../../domain/status.ts';
import { driftWorkflowId, pauseSignal, resumeSignal, type SyncRequest } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { startVault, type VaultServer } from '../servers/vault.ts';
import { CONFIG_REPOSITORY, openStack, type Stack } from './stack.ts';

const SCHEMA = `#Settings: {
	name: string
	pool: { size: int & <=100 }
	runtime: { level: string, seen: int }
	token: string @secret(app#token)
}
`;
const LEDGER = '{app:production}:vartrack';
const settingsOf = (name: string, size: number): string => `name: ${name}\npool: { size: ${size} }\nruntime: { level: info, seen: 1 }\n`;

describeWith(['temporal', 'redis', 'vault'], 'a heal', () => {
  let redis: RedisServer;
  let vault: VaultServer;
  let stack: Stack;
  let client: Redis;
  let commit: string;
  /** Nobody but these tests asks for a heal. */
  const bundle = (more = ''): string => `
${CONFIG_REPOSITORY}
secretManagers:
  vault: { kind: vault, address: "${vault.address}", auth: { method: token, token: { env: VAULT_TOKEN } } }
sinks:
  cache: { kind: redis, url: "${redis.url}" }
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:
  settings:
    from: { repository: config, files: [ "settings.yaml" ] }
    environments: { branches: { main: production } }
    schema: { file: settings.cue, definition: "#Settings" }
    to:
      - { sink: cache, place: "app:{env}" }
      - { sink: files, place: "{dir}/files/{env}.json", format: json, validate: "test ! -e {dir}/files/refuse" }
    drift: { mode: off, ignore: [ "runtime.*" ] }
${more}`;
  beforeAll(async () => {
    [redis, vault] = await Promise.all([startRedis(), startVault()]);
    client = new Redis(redis.url);
    await vault.put('app', { token: 'token-1' });
    stack = await openStack({
      settings: 'fingerprintKey: { env: FINGERPRINT_KEY }',
      env: { FINGERPRINT_KEY: 'a key', VAULT_TOKEN: vault.rootToken },
      tenant: bundle(),
    });
  });
  afterAll(async () => {
    await stack?.close();
    client?.disconnect();
    await Promise.all([redis?.stop(), vault?.stop()]);
  });
  beforeEach(async () => {
    // The files change each time, so that both ledgers are at the new commit.
    const outcome = await stack.push({ 'settings.cue': SCHEMA, 'settings.yaml': `${settingsOf('good', 5)}# ${randomUUID()}\n` });
    if (outcome.status !== 'Synced' && outcome.status !== 'Unchanged') throw new Error(`the push that a heal goes back to ended ${outcome.status}`);
    commit = outcome.commit ?? '';
  });

  const path = (): string => join(stack.directory, 'files/production.json');
  const file = async (): Promise<Record<string, unknown>> => JSON.parse(await readFile(path(), 'utf8')) as Record<string, unknown>;
  const rewrite = async (change: (content: Record<string, unknown>) => void): Promise<void> => {
    const content = await file();
    change(content);
    await writeFile(path(), JSON.stringify(content));
  };
  const held = async (): Promise<unknown> => [await client.hgetall('app:production'), await client.get(LEDGER), await readFile(path(), 'utf8')];
  const heal = (request: Partial<SyncRequest> = {}): Promise<RunOutcome> =>
    stack.sync({ trigger: 'heal', only: ['settings/production/0', 'settings/production/1'], commit, ...request });

  it('puts back what was changed, removed or added at the commit that was applied, although the head is newer and rejected', async () => {
    expect(await stack.push({ 'settings.yaml': settingsOf('bad', 5000) })).toMatchObject({ status: 'Rejected' });
    await client.hset('app:production', { name: 'by hand', token: 'stolen' });
    await client.hdel('app:production', 'pool.size');
    await rewrite((content) => {
      delete content['name'];
      content['pool'] = { size: 7 };
      content['stranger'] = true;
    });
    expect(await heal()).toMatchObject({ status: 'Synced', commit, targets: [{ changes: { puts: 3, deletes: 0 } }, { changes: { puts: 2, deletes: 1 } }] });
    const values = { name: 'good', token: 'token-1' };
    expect(await client.hgetall('app:production')).toMatchObject({ ...values, 'pool.size': '5' });
    expect(await file()).toEqual({ ...values, pool: { size: 5 }, runtime: { level: 'info', seen: 1 } });
    expect(await heal()).toMatchObject({ status: 'Unchanged' });
  });

  it('leaves what the rule ignores as it is, there or not, and writes nothing for its sake', async () => {
    await client.hset('app:production', 'runtime.level', 'debug');
    await client.hdel('app:production', 'runtime.seen');
    await rewrite((content) => {
      content['runtime'] = { level: 'debug', more: 2 };
    });
    const before = await held();
    expect(await heal()).toMatchObject({ status: 'Unchanged' });
    expect(await held()).toEqual(before);

    await client.hset('app:production', 'name', 'by hand');
    await rewrite((content) => {
      content['name'] = 'by hand';
    });
    expect(await heal()).toMatchObject({ status: 'Synced' });
    expect(await client.hgetall('app:production')).toEqual({ name: 'good', 'pool.size': '5', token: 'token-1', 'runtime.level': 'debug' });
    expect(await file()).toEqual({ name: 'good', pool: { size: 5 }, token: 'token-1', runtime: { level: 'debug', more: 2 } });
    // A push writes all that Git says.
    expect(await stack.push({ 'settings.yaml': settingsOf('next', 5) })).toMatchObject({ status: 'Synced' });
    expect(await file()).toMatchObject({ runtime: { level: 'info', seen: 1 } });
  });

  it('leaves a target alone whose ledger moved on, or is gone', async () => {
    expect(await stack.push({ 'settings.yaml': settingsOf('newer', 6) })).toMatchObject({ status: 'Synced' });
    await client.hset('app:production', 'name', 'by hand');
    await client.del(LEDGER);
    const before = await held();
    const outcome = await heal();
    expect(outcome).toMatchObject({ status: 'Unchanged', summary: expect.stringMatching(/nothing says any more .*; .* was written there since/) as string });
    expect(await held()).toEqual(before);
    await client.hset('app:production', 'name', 'newer');
    expect(await stack.sync()).toMatchObject({ status: 'Synced' });
  });

  it('writes only the targets that it names', async () => {
    await client.hset('app:production', 'name', 'by hand');
    await rewrite((content) => {
      content['name'] = 'by hand';
    });
    expect(await heal({ only: ['settings/production/1', 'settings/production/7'] })).toMatchObject({ status: 'Synced', targets: [{ sink: 'files' }] });
    expect(await client.hget('app:production', 'name')).toBe('by hand');
    expect(await file()).toMatchObject({ name: 'good' });
  });

  it('of two targets brings the drifted values back where one of them cannot be written (I6)', async () => {
    await client.hset('app:production', 'name', 'by hand');
    await rewrite((content) => {
      content['name'] = 'by hand';
    });
    const refuse = join(stack.directory, 'files/refuse');
    await writeFile(refuse, '');
    expect(await heal()).toMatchObject({ status: 'RolledBack' });
    expect(await client.hget('app:production', 'name')).toBe('by hand');
    expect(await file()).toMatchObject({ name: 'by hand' });
    await rm(refuse);
    expect(await heal()).toMatchObject({ status: 'Synced' });
    expect(await client.hget('app:production', 'name')).toBe('good');
  });

  it('is parked while the tenant is paused, and nothing is written (I12)', async () => {
    const watch = stack.temporal.client.workflow.getHandle(driftWorkflowId(stack.tenant));
    const paused = createPauseReader(stack.temporal.client);
    await watch.signal(pauseSignal, { by: 'ann', reason: 'maintenance' });
    await vi.waitFor(async () => expect(await paused(stack.tenant)).not.toBeNull(), { timeout: 10_000 });
    await client.hset('app:production', 'name', 'by hand');
    const before = await held();
    expect(await heal()).toMatchObject({ status: 'Parked' });
    expect(await held()).toEqual(before);
    await watch.signal(resumeSignal, { by: 'ann' });
    await vi.waitFor(async () => expect(await paused(stack.tenant)).toBeNull(), { timeout: 10_000 });
  });

  it('asks nothing of rules that it is not about: one that came later may have no file at its commit', async () => {
    const later = '  later: { from: { repository: config, files: [ later.yaml ] }, environments: { branches: { main: production } }, schema: none, ';
    await stack.reloadBundle(bundle(`${later} to: [ { sink: cache, place: "later:{env}" } ], drift: { mode: off } }`));
    await client.hset('app:production', 'name', 'by hand');
    expect(await heal()).toMatchObject({ status: 'Synced', commit });
    expect(await client.hget('app:production', 'name')).toBe('good');
    // A push is about all of them (I1).
    expect(await stack.sync()).toMatchObject({ status: 'Rejected' });
    await stack.reloadBundle(bundle());
  });

  it('gives way to a push that is made at the same time', async () => {
    await client.hset('app:production', 'name', 'by hand');
    const [, pushed] = await Promise.all([heal().catch(() => undefined), stack.push({ 'settings.yaml': settingsOf('newest', 8) })]);
    expect(pushed).toMatchObject({ status: 'Synced' });
    expect(await client.hget('app:production', 'name')).toBe('newest');
    expect(await file()).toMatchObject({ name: 'newest', pool: { size: 8 } });
  });

  it('that is a rotation writes the newest version of a secret at the commit that was applied', async () => {
    await vault.put('app', { token: 'token-2' });
    expect(await stack.push({ 'settings.yaml': settingsOf('bad', 5000) })).toMatchObject({ status: 'Rejected' });
    expect(await heal({ trigger: 'rotation' })).toMatchObject({ status: 'Synced', commit });
    expect(await client.hget('app:production', 'token')).toBe('token-2');
    expect(await file()).toMatchObject({ name: 'good', token: 'token-2' });
  });
});
