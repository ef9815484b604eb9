import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startSync } from '../../clients/start-sync.ts';
import type { CheckedTarget, TenantCheck } from '../../domain/drift.ts';
import { describeWith } from '../servers/describe-with.ts';
import { openCheckLab, type CheckLab } from './check-lab.ts';

/** Each test has a branch of its own, with an environment and targets of its own. */
const BRANCHES = ['idle', 'keys', 'extra', 'ignore', 'gone', 'forged', 'intent', 'owned', 'runs', 'heals', 'remote', 'group', 'down'].map(
  (name) => `t-${name}`,
);

function tenant(redisUrl: string, more = ''): string {
  return `
repositories:
  config: { provider: generic, url: "{repository}", webhookSecret: { env: STACK_WEBHOOK_SECRET }, poll: 60s }
sinks:
  cache: { kind: redis, url: "${redisUrl}" }
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:
  settings:
    from: { repository: config, files: [ "a.yaml" ] }
    environments: { branches: { "t-*": "{branch}" } }
    schema: none
    to: [ { sink: cache, place: "app:{env}" }, { sink: files, place: "{dir}/files/{env}.json", format: json } ]
    drift: { mode: warn, interval: 60s, ignore: [ "runtime.*" ] }
${more}`;
}

describeWith(['temporal', 'redis'], 'a check of targets', () => {
  let lab: CheckLab;
  /** Applied to all of them. */
  let commit = '';
  beforeAll(async () => {
    lab = await openCheckLab(({ url }) => ({ tenant: tenant(url) }));
    const { repository } = lab.stack;
    commit = await repository.commit({ 'a.yaml': 'a: 1\nb: 2\nruntime: { level: info }\n' }, 't-first');
    await repository.git('push', '-q', 'origin', ...BRANCHES.map((name) => `t-first:refs/heads/${name}`));
    const outcomes = await Promise.all(BRANCHES.map((name) => lab.stack.sync({ ref: { kind: 'branch', name } }, name)));
    const failed = outcomes.find(({ status }) => status !== 'Synced');
    if (failed) throw new Error(`a branch ended as ${failed.status}: ${failed.summary}`);
  }, 120_000);
  afterAll(async () => lab?.close());

  const cache = (branch: string): string => `app:${branch}`;
  const file = (branch: string): string => join(lab.stack.directory, 'files', `${branch}.json`);
  const checkCache = (branch: string): Promise<CheckedTarget | undefined> => lab.checkOne(`settings/${branch}/0`);
  const checkFile = (branch: string): Promise<CheckedTarget | undefined> => lab.checkOne(`settings/${branch}/1`);

  it('is one read and nothing else where nothing changed', async () => {
    expect(await checkCache('t-idle')).toMatchObject({ status: 'InSync', commit, mode: 'warn', repository: 'config', stream: 't-idle', place: 'app:t-idle' });
    expect(await checkFile('t-idle')).toMatchObject({ status: 'InSync' });
    const before = { ...lab.counts };
    expect(await checkCache('t-idle')).toMatchObject({ status: 'InSync', commit });
    expect(await checkFile('t-idle')).toMatchObject({ status: 'InSync', commit });
    expect(lab.counts).toEqual({ ...before, reads: before.reads + 2 });
  });

  it('tells keys that were changed, and that are missing', async () => {
    await lab.client.hset(cache('t-keys'), 'a', 'theirs');
    await lab.client.hdel(cache('t-keys'), 'b');
    const { fingerprint } = lab.deps;
    const first = await checkCache('t-keys');
    expect(first).toMatchObject({
      status: 'Drifted',
      remedy: 'heal',
      commit,
      keys: [
        { key: 'a', drift: 'changed', expected: fingerprint('1'), live: fingerprint('theirs') },
        { key: 'b', drift: 'missing', expected: fingerprint('2'), live: null },
      ],
    });
    expect((await checkCache('t-keys'))?.digest).toBe(first?.digest);
    await lab.client.hset(cache('t-keys'), 'a', 'theirs again');
    expect((await checkCache('t-keys'))?.digest).not.toBe(first?.digest);
    await lab.client.hset(cache('t-keys'), 'a', '1', 'b', '2');
    expect(await checkCache('t-keys')).toMatchObject({ status: 'InSync' });
  });

  it('leaves alone keys of others where the place is shared, and tells them where it is owned as a whole', async () => {
    await lab.client.hset(cache('t-extra'), 'foreign', 'theirs');
    expect(await checkCache('t-extra')).toMatchObject({ status: 'InSync' });
    expect(await checkFile('t-extra')).toMatchObject({ status: 'InSync' });
    await writeFile(file('t-extra'), JSON.stringify({ a: 1, b: 2, c: 3, runtime: { level: 'info' } }));
    expect(await checkFile('t-extra')).toMatchObject({ status: 'Drifted', remedy: 'heal', keys: [{ key: 'c', drift: 'extra', expected: null }] });
    await writeFile(file('t-extra'), '{"a": 1,');
    expect(await checkFile('t-extra')).toMatchObject({ status: 'Drifted', remedy: 'heal', message: expect.stringMatching(/JSON/) });
    await rm(file('t-extra'));
    expect(await checkFile('t-extra')).toMatchObject({ status: 'Drifted', remedy: 'heal' });
  });

  it('does not count what the rule ignores', async () => {
    await lab.client.hset(cache('t-ignore'), 'runtime.level', 'debug');
    expect(await checkCache('t-ignore')).toMatchObject({ status: 'InSync' });
    await lab.client.hdel(cache('t-ignore'), 'runtime.level');
    expect(await checkCache('t-ignore')).toMatchObject({ status: 'InSync' });
    await lab.client.hset(cache('t-ignore'), 'a', '2');
    expect(await checkCache('t-ignore')).toMatchObject({ status: 'Drifted', keys: [{ key: 'a' }] });
  });

  it('wants the head again where the ledger is gone, whatever the values are, and nobody’s values that stand in the way seen by a person', async () => {
    await lab.setLedger(cache('t-gone'), null);
    const equal = await checkCache('t-gone');
    expect(equal).toMatchObject({ status: 'Drifted', remedy: 'sync', keys: [], message: expect.stringContaining('ledger is gone') });
    expect(equal).not.toHaveProperty('commit');
    await lab.client.del(cache('t-gone'));
    expect(await checkCache('t-gone')).toMatchObject({
      status: 'Drifted',
      remedy: 'sync',
      keys: [{ drift: 'missing' }, { drift: 'missing' }, { drift: 'missing' }],
    });
    await lab.client.hset(cache('t-gone'), 'a', 'theirs');
    const held = await checkCache('t-gone');
    expect(held).toMatchObject({ status: 'Drifted', keys: [{ key: 'a', drift: 'changed' }] });
    expect(held?.message).toMatch(
      /^no heal without a person: .*not written by varTrack: a; remove what is there, make it equal, or set onExisting: overwrite$/,
    );
    expect(held).not.toHaveProperty('remedy');
  });

  it('is not fooled by a ledger that was trimmed, emptied, or put back from before', async () => {
    const old = await lab.ledgerOf(cache('t-forged'));
    expect(await lab.stack.push({ 'a.yaml': 'a: 2\nb: 2\n' }, 't-forged')).toMatchObject({ status: 'Synced' });
    const ledger = await lab.ledgerOf(cache('t-forged'));
    expect(await checkCache('t-forged')).toMatchObject({ status: 'InSync' });

    await lab.setLedger(cache('t-forged'), { ...ledger, keys: { a: ledger.keys['a'] ?? '' } });
    expect(await checkCache('t-forged')).toMatchObject({ status: 'Drifted', remedy: 'heal', message: 'its ledger lost 1 of its keys' });
    await lab.setLedger(cache('t-forged'), { ...ledger, keys: {} });
    expect(await checkCache('t-forged')).toMatchObject({ status: 'Drifted', remedy: 'sync' });
    await lab.setLedger(cache('t-forged'), old);
    await lab.client.hset(cache('t-forged'), 'a', '1');
    expect(await checkCache('t-forged')).toMatchObject({ status: 'Drifted', remedy: 'sync', commit, message: expect.stringContaining('older than') });
    await lab.setLedger(cache('t-forged'), { ...ledger, commit: 'f'.repeat(40) });
    expect(await checkCache('t-forged')).toMatchObject({
      status: 'Drifted',
      remedy: 'sync',
      message: expect.stringContaining('does not have commit ffffffffffff'),
    });
    await lab.setLedger(cache('t-forged'), ledger);
    await lab.client.hset(cache('t-forged'), 'a', '2');
    expect(await checkCache('t-forged')).toMatchObject({ status: 'InSync' });
  });

  it('takes over what was left half-written', async () => {
    await lab.setLedger(cache('t-intent'), { ...(await lab.ledgerOf(cache('t-intent'))), state: 'intent' });
    expect(await checkCache('t-intent')).toMatchObject({ status: 'Drifted', remedy: 'heal', message: expect.stringContaining('half-done') });
  });

  it('does not call drifted what belongs to another rule', async () => {
    const ledger = await lab.ledgerOf(cache('t-owned'));
    await lab.setLedger(cache('t-owned'), { ...ledger, owner: { tenant: 'other', rule: 'theirs', environment: 'production' } });
    const found = await checkCache('t-owned');
    expect(found).toMatchObject({ status: 'Pending', message: expect.stringContaining('it belongs to other/theirs (production)') });
    expect(found).not.toHaveProperty('remedy');
  });

  it('calls pending what was never applied, and says how its run ended', async () => {
    await lab.stack.repository.commit({ 'a.yaml': 'a: 1\n' }, 't-never');
    expect(await checkCache('t-never')).toMatchObject({ status: 'Pending', message: 'nothing is applied so far' });
    await lab.client.hset(cache('t-held'), 'a', 'theirs');
    expect(await lab.stack.push({ 'a.yaml': 'a: 1\n' }, 't-held')).toMatchObject({ status: 'Held' });
    expect(await checkCache('t-held')).toMatchObject({ status: 'Pending', message: expect.stringContaining('ended Held') });
  });

  it('calls syncing what a run works on, also one that began after the first look', async () => {
    await lab.client.hset(cache('t-runs'), 'a', 'theirs');
    await lab.stack.stopWorker();
    try {
      const ids = { tenant: lab.stack.tenant, repository: 'config', stream: 't-runs' };
      const request = { id: 'runs', trigger: 'manual', ref: { kind: 'branch', name: 't-runs' } } as const;
      const { sinks } = lab.deps;
      const begun = lab.check.bind(lab);
      const read = sinks.get;
      Object.assign(sinks, {
        get: async (...args: Parameters<typeof read>) => {
          await startSync(lab.stack.temporal.client, ids, request, { taskQueue: lab.deps.taskQueue });
          return read(...args);
        },
      });
      const first = await begun({ targets: ['settings/t-runs/0'] });
      Object.assign(sinks, { get: read });
      expect(first.targets).toMatchObject([{ id: 'settings/t-runs/0', status: 'Syncing' }]);
      expect(first.targets[0]).not.toHaveProperty('remedy');
      const before = lab.counts.reads;
      expect(await checkCache('t-runs')).toMatchObject({ status: 'Syncing' });
      expect(lab.counts.reads).toBe(before);
    } finally {
      await lab.stack.startWorker();
    }
    expect(await lab.stack.outcomeOf('t-runs', 'runs')).toMatchObject({ status: 'Synced' });
    expect(await checkCache('t-runs')).toMatchObject({ status: 'InSync' });
  });

  it('looks through heals to the run that brought the stream to its head', async () => {
    await lab.client.hset(cache('t-heals'), 'a', 'theirs');
    const only = ['settings/t-heals/0'];
    await lab.stack.sync({ trigger: 'heal', only, commit, ref: { kind: 'branch', name: 't-heals' } }, 't-heals');
    expect(await checkCache('t-heals')).toMatchObject({ status: 'InSync', commit });
    await lab.setLedger(cache('t-heals'), null);
    expect(await checkCache('t-heals')).toMatchObject({ status: 'Drifted', remedy: 'sync' });
  });

  it('goes on with what it knows while the remote does not answer, and after a restart with the streams that had runs', async () => {
    expect(await checkCache('t-remote')).toMatchObject({ status: 'InSync' });
    const bare = lab.stack.repository.url.replace('file://', '');
    const head = await readFile(join(bare, 'HEAD'), 'utf8');
    await rm(join(bare, 'HEAD'));
    try {
      lab.forget();
      await lab.client.hset(cache('t-remote'), 'a', 'theirs');
      const { groups, pollProblems, streams, polled } = await lab.check({ groups: 'all', polls: 'all' });
      expect(targetsOf(groups)).toContainEqual(expect.objectContaining({ id: 'settings/t-remote/0', status: 'Drifted', remedy: 'heal', commit }));
      expect(targetsOf(groups)).toContainEqual(expect.objectContaining({ id: 'settings/t-remote/1', status: 'InSync' }));
      expect({ pollProblems, streams, polled }).toEqual({ pollProblems: [expect.stringContaining('config: ')], streams: [], polled: [] });
    } finally {
      await writeFile(join(bare, 'HEAD'), head);
    }
  });

  it('tells a group only where it is not as it was', async () => {
    const first = await lab.check({ groups: 'all' });
    const [group] = first.groups;
    expect(group).toMatchObject({ intervalMs: 60_000, more: 0 });
    expect(first).toMatchObject({ intervals: [60_000], pollIntervals: [60_000], streams: null, secretVersions: {} });
    const again = [{ intervalMs: 60_000, digest: group?.digest ?? '' }];
    expect((await lab.check({ groups: again })).groups).toEqual([{ ...group, targets: null }]);
    await lab.client.hset(cache('t-group'), 'a', 'theirs');
    expect(targetsOf((await lab.check({ groups: again })).groups)[0]).toMatchObject({ status: 'Drifted' });
    expect((await lab.check({ groups: [{ intervalMs: 5, digest: '' }] })).groups).toEqual([]);
  });

  it('says that it does not know where the sink does not answer', async () => {
    await lab.client.del(cache('t-down'));
    await lab.client.set(cache('t-down'), 'not a hash');
    const found = await checkCache('t-down');
    expect(found).toMatchObject({ status: 'Unknown', message: expect.stringContaining('rule settings: cache: ') });
    expect(found).not.toHaveProperty('keys');
    expect(await checkFile('t-down')).toMatchObject({ status: 'InSync' });
  });
});

function targetsOf(groups: TenantCheck['groups']): readonly CheckedTarget[] {
  return groups.flatMap(({ targets }) => targets ?? []);
}
