import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { checkNowSignal, driftStateQuery, driftWorkflowId, forceHealSignal } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { startTemporal, type TemporalServer } from '../servers/temporal.ts';
import { startVault, type VaultServer } from '../servers/vault.ts';
import { createLeakScan } from './canary/leak-scan.ts';
import { lookAtDatabase } from './canary/look-at-rest.ts';
import { makeSecrets } from './canary/shapes.ts';
import { CONFIG_REPOSITORY, openStack, type Stack } from './stack.ts';

const WITHIN = { timeout: 30_000, interval: 50 };
const SECRETS = makeSecrets();
const FOREIGN = makeSecrets();
const NAMES = Object.keys(SECRETS);
/** Names that stand for all that a run or a watch says of a configuration; those of search attributes are not among them. */
const WORDS = {
  rule: 'ruleofmine',
  key: 'keyofmine',
  place: 'placeofmine',
  path: 'secretofmine',
  field: 'fieldofmine',
  reason: 'reasonofmine',
  by: 'personofmine',
};

describeWith(['temporal', 'redis', 'vault'], 'drift and heals with VARTRACK_CODEC_KEY', () => {
  const scan = createLeakScan({ ...SECRETS, ...Object.fromEntries(Object.entries(FOREIGN).map(([name, value]) => [`foreign ${name}`, value])), ...WORDS });
  let directory: string;
  let redis: RedisServer;
  let vault: VaultServer;
  let temporal: TemporalServer;
  let client: Redis;
  let stack: Stack;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'vartrack-canary-'));
    [redis, vault, temporal] = await Promise.all([startRedis(), startVault(), startTemporal({ databaseFile: join(directory, 'temporal.db') })]);
    client = new Redis(redis.url);
    await vault.put('secretofmine', Object.fromEntries(NAMES.map((name) => [`fieldofmine${name}`, SECRETS[name]])));
    stack = await openStack({
      temporal,
      codecKey: randomBytes(32).toString('base64'),
      settings: 'fingerprintKey: { env: FINGERPRINT_KEY }',
      env: { FINGERPRINT_KEY: 'a key', VAULT_TOKEN: vault.rootToken },
      tenant: `
${CONFIG_REPOSITORY}
secretManagers:
  vault: { kind: vault, address: "${vault.address}", auth: { method: token, token: { env: VAULT_TOKEN } } }
sinks:
  cache: { kind: redis, url: "${redis.url}" }
rules:
  ruleofmine:
    from: { repository: config, files: [ a.yaml ] }
    environments: { branches: { main: production } }
    schema: none
    to: [ { sink: cache, place: placeofmine } ]
    drift: { mode: warn, interval: 24h }
`,
    });
  });
  afterAll(async () => {
    await stack?.close();
    client?.disconnect();
    await Promise.all([redis?.stop(), vault?.stop(), temporal?.stop()]);
    await rm(directory, { recursive: true, force: true });
  });

  const watch = () => stack.temporal.client.workflow.getHandle(driftWorkflowId(stack.tenant));
  const is = (status: string) =>
    vi.waitFor(async () => expect(await watch().query(driftStateQuery)).toMatchObject({ targets: [{ id: 'ruleofmine/production/0', status }] }), WITHIN);

  it('leave nothing in the database of Temporal that can be read, of secrets, of what stood in their place and of names', { timeout: 90_000 }, async () => {
    const yaml = NAMES.map((name) => `keyofmine${name}: "@secret(secretofmine#fieldofmine${name})"\n`).join('');
    expect(await stack.push({ 'a.yaml': yaml }, 'main')).toMatchObject({ status: 'Synced' });
    const values = Object.fromEntries(NAMES.map((name) => [`keyofmine${name}`, SECRETS[name]]));
    expect(await client.hgetall('placeofmine')).toEqual(values);
    await client.hset('placeofmine', Object.fromEntries(NAMES.map((name) => [`keyofmine${name}`, FOREIGN[name]])));
    await watch().signal(checkNowSignal, { targets: ['ruleofmine/production/0'] });
    await is('Drifted');
    await watch().signal(forceHealSignal, { by: 'personofmine', reason: 'reasonofmine', targets: ['ruleofmine/production/0'] });
    await is('InSync');
    expect(await client.hgetall('placeofmine')).toEqual(values);
    expect(await stack.push({ 'a.yaml': `${yaml}keyofmine: "@secret(secretofmine#fieldofmineofnobody)"\n` })).toMatchObject({ status: 'Rejected' });

    const path = join(directory, 'temporal.db');
    expect(await lookAtDatabase(path, scan.look)).toBeGreaterThan(50);
    expect(scan.leaks).toEqual([]);
    // What is meant to be read is there, so that this is the place where all of it would be.
    const texts = await Promise.all(['', '-wal'].map((suffix) => readFile(path + suffix, 'latin1').catch(() => '')));
    for (const readable of [stack.tenant, 'DriftStatus', 'binary/encrypted']) expect(texts.join('').includes(readable), readable).toBe(true);
  });

  it('would be found there: a signal of somebody without the key is', async () => {
    const { connection, namespace } = stack.temporal;
    const data = Buffer.from(JSON.stringify({ by: FOREIGN['plain'], reason: 'reasonofmine' }));
    await connection.workflowService.signalWorkflowExecution({
      namespace,
      workflowExecution: { workflowId: driftWorkflowId(stack.tenant) },
      signalName: 'pause',
      input: { payloads: [{ metadata: { encoding: Buffer.from('json/plain') }, data }] },
    });
    await vi.waitFor(async () => {
      await lookAtDatabase(join(directory, 'temporal.db'), scan.look);
      expect(new Set(scan.leaks.map(({ secret }) => secret))).toEqual(new Set(['foreign plain', 'reason']));
    }, WITHIN);
  });
});
