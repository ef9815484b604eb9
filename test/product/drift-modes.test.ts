import { randomUUID } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { HealRecord } from '../../domain/drift.ts';
import { newWatch } from '../../domain/watch-state.ts';
import { checkNowSignal, driftWorkflowId, forceHealSignal, type DriftWatchInput } from '../../workflows/messages.ts';
import { searchAttributes } from '../../workflows/search-attributes.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { openStack, type Stack } from './stack.ts';
import { eventually, watchOf } from './watch-of.ts';

/** Each test has one of its own, with targets of its own: the second heal of a target waits. */
const BRANCHES = ['plain', 'ignored', 'other', 'lost', 'strange', 'frozen', 'fought', 'quiet', 'refused'];
const SETTINGS = 'name: good\nport: 1\nruntime: { level: info, seen: 1 }\n';
vi.setConfig({ testTimeout: 60_000 });

describeWith(['temporal', 'redis'], 'what drift leads to', () => {
  let redis: RedisServer;
  let client: Redis;
  let stack: Stack;

  const bundle = (more = ''): string => {
    const rule = (name: string, drift: string, to: string): string => `
  ${name}:
    from: { repository: config, files: [ "app.yaml" ] }
    environments: { branches: { ${BRANCHES.map((branch) => `${branch}: ${branch}`).join(', ')} } }
    schema: none
    to: [ ${to} ]
    drift: { ${drift}, interval: 1s, ignore: [ "runtime.*" ] }`;
    return `
repositories:
  config: { provider: generic, url: "{repository}", webhookSecret: { env: STACK_WEBHOOK_SECRET }, poll: 1s }
sinks:
  cache: { kind: redis, url: "${redis.url}", username: vartrack, password: { env: REDIS_PASSWORD } }
  files: { kind: linux, transport: local, root: "{dir}/files" }
${more}
rules:
${rule('app', 'mode: heal', '{ sink: cache, place: "app:{env}" }, { sink: files, place: "{dir}/files/{env}.json", format: json }')}
${rule('off', 'mode: off', '{ sink: cache, place: "off:{env}" }')}
`;
  };

  beforeAll(async () => {
    redis = await startRedis();
    client = new Redis(redis.url);
    await may('on', '>redis-secret', '+@all', '~*');
    stack = await openStack({ env: { REDIS_PASSWORD: 'redis-secret' }, tenant: bundle() });
    for (const branch of BRANCHES) await stack.repository.commit({ 'app.yaml': `${SETTINGS}# ${branch}\n` }, branch);
    await watch().signal(checkNowSignal, {});
    await allApplied();
  }, 120_000);
  afterAll(async () => {
    await stack?.close();
    client?.disconnect();
    await redis?.stop();
  });

  const may = (...rights: readonly string[]) => client.call('ACL', 'SETUSER', 'vartrack', ...rights);
  const watch = () => watchOf(stack);
  const allApplied = () =>
    eventually(async () => expect((await watch().state()).targets.map(({ status }) => status)).toEqual(BRANCHES.flatMap(() => ['InSync', 'InSync'])));
  const cacheOf = (branch: string) => watch().target(`app/${branch}/0`);
  const fileOf = (branch: string) => watch().target(`app/${branch}/1`);
  const path = (branch: string): string => join(stack.directory, `files/${branch}.json`);
  const file = async (branch: string): Promise<unknown> => JSON.parse(await readFile(path(branch), 'utf8'));
  const held = (branch: string) => client.hgetall(`app:${branch}`);
  const name = (branch: string) => client.hget(`app:${branch}`, 'name');
  const spoil = (branch: string) => client.hset(`app:${branch}`, 'name', `by hand ${randomUUID()}`);
  const GOOD = { name: 'good', port: '1', 'runtime.level': 'info', 'runtime.seen': '1' };
  const GOOD_FILE = { name: 'good', port: 1, runtime: { level: 'info', seen: 1 } };

  /** Lets the whole tenant be checked once more, from its beginning. */
  async function checked(): Promise<void> {
    const from = Date.now();
    await watch().signal(checkNowSignal, {});
    await eventually(async () => {
      const { checkedAt, busy } = await watch().state();
      expect([Date.parse(checkedAt ?? '') >= from, busy]).toEqual([true, undefined]);
    });
  }

  it('is put right where it was changed, is missing or was added, and strangers’ keys in a shared place stay', async () => {
    await client.hset('app:plain', { name: 'by hand', stranger: 'mine' });
    await client.hdel('app:plain', 'port');
    await writeFile(path('plain'), JSON.stringify({ ...GOOD_FILE, name: undefined, port: 2, stranger: true }));
    await eventually(async () => {
      expect(await held('plain')).toEqual({ ...GOOD, stranger: 'mine' });
      expect(await file('plain')).toEqual(GOOD_FILE);
    });
  });

  it('is nothing where the rule is off, and nothing at keys that it ignores', async () => {
    await client.hset('off:ignored', 'name', 'by hand');
    await client.hset('app:ignored', 'runtime.level', 'debug');
    await client.hdel('app:ignored', 'runtime.seen');
    await checked();
    expect((await watch().state()).targets.filter(({ rule }) => rule === 'off')).toEqual([]);
    expect(await cacheOf('ignored')).toMatchObject({ status: 'InSync' });
    await spoil('ignored');
    await eventually(async () => expect(await name('ignored')).toBe('good'));
    expect(await held('ignored')).toEqual({ name: 'good', port: '1', 'runtime.level': 'debug' });
    expect(await client.hget('off:ignored', 'name')).toBe('by hand');
  });

  it('of a place that was removed with its ledger is written anew', async () => {
    await client.del('app:lost', '{app:lost}:vartrack');
    await rm(path('lost'));
    await rm(join(stack.directory, 'files/.lost.json.vartrack'));
    await eventually(async () => {
      expect(await held('lost')).toEqual(GOOD);
      expect(await file('lost')).toEqual(GOOD_FILE);
    });
    await eventually(async () => expect([(await cacheOf('lost')).status, (await fileOf('lost')).status]).toEqual(['InSync', 'InSync']));
  });

  it('of a place whose ledger is gone and whose values are others is told and left to a person', async () => {
    const theirs = { ...GOOD_FILE, name: 'theirs' };
    await client.hset('app:strange', 'name', 'theirs');
    await client.del('{app:strange}:vartrack');
    await Promise.all([writeFile(path('strange'), JSON.stringify(theirs)), rm(join(stack.directory, 'files/.strange.json.vartrack'))]);
    await eventually(async () => {
      expect(await cacheOf('strange')).toMatchObject({ status: 'Drifted', message: expect.stringMatching(/not written by varTrack.*name/) as string });
      expect(await fileOf('strange')).toMatchObject({ status: 'Drifted', message: expect.stringContaining('was not written by varTrack') as string });
    });
    await checked();
    expect([await name('strange'), await file('strange')]).toEqual(['theirs', theirs]);
    expect(await watch().page()).toMatch(/\*\*Drifted\*\* strange: cache .*remove what is there, make it equal, or set onExisting/);
    // As it says: equal again, it is adopted.
    await client.hset('app:strange', 'name', 'good');
    await writeFile(path('strange'), JSON.stringify(GOOD_FILE));
    await eventually(async () => expect([(await cacheOf('strange')).status, (await fileOf('strange')).status]).toEqual(['InSync', 'InSync']));
    expect(await client.exists('{app:strange}:vartrack')).toBe(1);
  });

  it('is put right at one destination though another refuses', async () => {
    await may('resetkeys', '%R~*');
    await spoil('refused');
    await writeFile(path('refused'), JSON.stringify({ ...GOOD_FILE, name: 'by hand' }));
    await eventually(async () => expect((await fileOf('refused')).heals?.length).toBeGreaterThan(0));
    await eventually(async () => expect(await fileOf('refused')).toMatchObject({ status: 'InSync' }), 40_000);
    expect(await file('refused')).toEqual(GOOD_FILE);
    expect(await name('refused')).toMatch(/^by hand/);
    await may('resetkeys', '~*');
    await watch().signal(forceHealSignal, { by: 'ann' });
    await eventually(async () => expect(await name('refused')).toBe('good'));
  });

  it('is nothing that is said of a place that cannot be read: it is unknown, and nothing is written', async () => {
    await spoil('refused');
    await may('resetkeys');
    await eventually(async () =>
      expect(await cacheOf('refused')).toMatchObject({
        status: 'Unknown',
        message: expect.stringMatching(/app:refused: the user has no permission/) as string,
      }),
    );
    expect(await watch().state()).toMatchObject({ status: 'Unknown' });
    expect(await name('refused')).toMatch(/^by hand/);
    await client.hset('app:refused', 'name', 'good');
    await may('resetkeys', '~*');
    await eventually(async () => expect(await watch().state()).toMatchObject({ status: 'InSync' }));
  });

  it('waits for the end of a freeze, unless a person forces it, and is healed then with what was pushed meanwhile', async () => {
    const from = new Date(Date.now() - 60_000);
    const opened = Math.floor(from.getTime() / 60_000) * 60_000;
    const seconds = Math.ceil((Date.now() - opened) / 1_000) + 12;
    const cron = `${from.getUTCMinutes()} ${from.getUTCHours()} ${from.getUTCDate()} ${from.getUTCMonth() + 1} *`;
    await stack.reloadBundle(bundle(`freeze: [ { from: "${cron}", for: ${seconds}s, timeZone: UTC, reason: weekend } ]`));
    await checked();
    expect(await watch().state()).toMatchObject({ freeze: { reason: 'weekend' } });
    await spoil('frozen');
    await stack.repository.commit({ 'app.yaml': `${SETTINGS}more: 1\n` }, 'other');
    await eventually(async () => {
      expect(await cacheOf('frozen')).toMatchObject({ status: 'Drifted', keys: [{ key: 'name' }] });
      expect((await watch().state()).streams).toMatchObject([{ stream: 'other', state: 'moved' }]);
    });
    await watch().signal(forceHealSignal, { by: 'ann', targets: ['app/frozen/0'] });
    await checked();
    expect(await name('frozen')).toMatch(/^by hand/);
    expect(await watch().page()).toMatch(/\*\*Frozen\*\* until .*: weekend/);
    await watch().signal(forceHealSignal, { by: 'ann', targets: ['app/frozen/0'], force: true });
    await eventually(async () => expect(await name('frozen')).toBe('good'));
    expect((await watch().state()).freeze).not.toBeNull();
    expect(await held('other')).not.toHaveProperty('more');
    // Its end.
    await eventually(async () => expect(await held('other')).toHaveProperty('more', '1'));
    await eventually(async () => expect(await watch().state()).toMatchObject({ freeze: null, streams: [] }));
    await stack.reloadBundle(bundle());
  });

  it('is contested where somebody changes it back each time, told once, and healed when a person says so', async () => {
    await watchThatHealed({ id: 'app/fought/0', heals: [9, 8, 7, 2].map(minutesAgo) });
    await spoil('fought');
    await eventually(async () => expect(await name('fought')).toBe('good'));
    await spoil('fought');
    await eventually(async () => expect(await cacheOf('fought')).toMatchObject({ status: 'Contested', heals: { length: 5 }, keys: [{ key: 'name' }] }));
    await spoil('fought');
    await checked();
    expect(await name('fought')).toMatch(/^by hand/);
    expect(await watch().state()).toMatchObject({ status: 'Contested' });
    expect(await watch().page()).toMatch(/^\*\*t-\w+\*\*: \*\*Contested\*\*.*\n\n- \*\*Contested\*\* fought: cache \(redis\) .*changed `name`; healed 5 times/);
    const { typedSearchAttributes: found } = await stack.temporal.client.workflow.getHandle(driftWorkflowId(stack.tenant)).describe();
    expect(found.get(searchAttributes.drift)).toBe('Contested');

    await watch().signal(forceHealSignal, { by: 'ann', reason: 'the script is stopped', targets: ['app/fought/0'] });
    await eventually(async () => expect(await name('fought')).toBe('good'));
    await eventually(async () => expect(await watch().state()).toMatchObject({ status: 'InSync' }));
  });

  it('is not contested any more when nothing has changed there for ten minutes', async () => {
    const heals = [19, 18, 17, 16, 15].map(minutesAgo);
    await client.hset('app:quiet', 'name', 'by hand');
    await watchThatHealed({ id: 'app/quiet/0', heals, contestedAt: minutesAgo(14) });
    await eventually(async () => expect(await cacheOf('quiet')).toMatchObject({ status: 'Contested', digest: expect.any(String) as string }));
    const { digest: seen = '' } = await cacheOf('quiet');
    await watchThatHealed({ id: 'app/quiet/0', heals, contestedAt: minutesAgo(14), seen, seenSince: minutesAgo(11) });
    await eventually(async () => expect(await name('quiet')).toBe('good'));
    await eventually(async () => expect(await cacheOf('quiet')).toMatchObject({ status: 'InSync' }));
  });

  /** Begins the watch anew, as one that remembers this. */
  async function watchThatHealed(record: HealRecord): Promise<void> {
    const { client: temporal } = stack.temporal;
    const workflowId = driftWorkflowId(stack.tenant);
    const { taskQueue } = await temporal.workflow.getHandle(workflowId).describe();
    const input: DriftWatchInput = { tenant: stack.tenant, watch: { ...newWatch(), healing: [record] } };
    const options = { workflowId, taskQueue, args: [input] };
    await temporal.workflow.start('driftWatchWorkflow', { ...options, workflowIdConflictPolicy: 'TERMINATE_EXISTING' });
    await eventually(async () => expect((await watch().state()).checkedAt).not.toBeNull());
  }
});

function minutesAgo(minutes: number): string {
  return new Date(Date.now() - minutes * 60_000).toISOString();
}
