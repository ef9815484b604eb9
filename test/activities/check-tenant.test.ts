import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CheckTenantInput } from '../../activities/activity-types.ts';
import { checkTenant } from '../../activities/check-tenant.ts';
import { startRuns } from '../../activities/start-runs.ts';
import type { CheckedTarget, StreamNews } from '../../domain/drift.ts';
import { syncWorkflowId } from '../../workflows/messages.ts';
import { searchAttributes } from '../../workflows/search-attributes.ts';
import { describeWith } from '../servers/describe-with.ts';
import { inActivity, openCheckLab, type CheckLab } from './check-lab.ts';

/** A bundle with every way into an environment: branches, tags beside one of them, pull requests, and paths. */
function tenant(redisUrl: string): string {
  return `
repositories:
  config: { provider: generic, url: "{repository}", webhookSecret: { env: STACK_WEBHOOK_SECRET }, poll: 60s }
  silent: { provider: generic, url: "{repository}", poll: off }
  unused: { provider: generic, url: "{repository}", poll: 5s }
sinks: { cache: { kind: redis, url: "${redisUrl}" } }
rules:
  settings:
    from: { repository: config, files: [ "a.yaml" ] }
    environments: { branches: { "b-*": "{branch}" }, pullRequests: "pr-{number}" }
    schema: none
    to: [ { sink: cache, place: "app:{env}" } ]
    drift: { mode: heal, interval: 30s }
  shared:
    from: { repository: config, files: [ "shared.yaml" ] }
    environments: { branches: { release: production }, tags: { "v*": production } }
    schema: none
    to: [ { sink: cache, place: "shared:{env}" } ]
    drift: { mode: heal, interval: 30s }
  paths:
    from: { repository: config, files: [ "envs/{env}/p.yaml" ] }
    environments: { paths: tree }
    schema: none
    to: [ { sink: cache, place: "paths:{env}" } ]
    drift: { mode: warn, interval: 90s }
  off:
    from: { repository: config, files: [ "a.yaml" ] }
    environments: { branches: { "b-*": "{branch}" } }
    schema: none
    to: [ { sink: cache, place: "off:{env}" } ]
    drift: { mode: "off", interval: 7s }
  quiet:
    from: { repository: silent, files: [ "a.yaml" ] }
    environments: { branches: { nowhere: quiet } }
    schema: none
    to: [ { sink: cache, place: "quiet:{env}" } ]
    drift: { mode: heal, interval: 30s }
`;
}

describeWith(['temporal', 'redis'], 'a check of a tenant', () => {
  let lab: CheckLab;
  beforeAll(async () => {
    lab = await openCheckLab(({ url }) => ({ tenant: tenant(url) }));
  });
  afterAll(async () => lab?.close());

  async function newsOf(stream: string): Promise<StreamNews | undefined> {
    // The next poll is a minute later.
    lab.forget();
    const { streams, polled } = await lab.check({ polls: [60_000] });
    expect(polled).toEqual(['config']);
    return streams?.find((news) => news.stream === stream);
  }

  async function allTargets(): Promise<readonly CheckedTarget[]> {
    lab.forget();
    const { groups } = await lab.check({ groups: 'all' });
    return groups.flatMap(({ targets }) => targets ?? []);
  }

  it('says what there is to check, and nothing of a tenant that is gone', async () => {
    expect(await lab.check()).toMatchObject({
      intervals: [30_000, 90_000],
      pollIntervals: [60_000],
      groups: [],
      targets: [],
      streams: null,
      polled: [],
      pollProblems: [],
      freeze: null,
      rotated: [],
      secretVersions: null,
    });
    const { polled } = await lab.check({ polls: 'all' });
    expect(polled).toEqual(['config', 'silent']);
    const input = { tenant: 'nobody', groups: 'all', polls: 'all', targets: [], secretVersions: {} } as const;
    expect(await inActivity(() => checkTenant(lab.deps, input))).toEqual({ kind: 'gone' });
  });

  it('tells a branch that moved until it is applied, is silent while it is deleted, and tells one that was made anew', async () => {
    const commit = await lab.stack.repository.commit({ 'a.yaml': 'a: 1\n' }, 'b-moves');
    expect(await newsOf('b-moves')).toEqual({
      repository: 'config',
      stream: 'b-moves',
      event: { kind: 'branch', name: 'b-moves' },
      head: commit,
      state: 'moved',
    });
    const request = { id: 'lost', trigger: 'poll', ref: { kind: 'branch', name: 'b-moves' }, commit } as const;
    const runs = [{ repository: 'config', stream: 'b-moves', request }];
    const twice = { tenant: lab.stack.tenant, runs: [...runs, ...runs] };
    await inActivity(() => startRuns(lab.deps, twice));
    expect(await lab.stack.outcomeOf('b-moves', 'lost')).toMatchObject({ status: 'Synced', commit });
    expect(await newsOf('b-moves')).toBeUndefined();

    await lab.stack.repository.git('push', '-q', 'origin', '--delete', 'b-moves');
    expect(await newsOf('b-moves')).toBeUndefined();
    expect((await allTargets()).map(({ id }) => id)).not.toContain('settings/b-moves/0');
    await lab.stack.repository.git('checkout', '-q', '--orphan', 'other-history');
    await lab.stack.repository.git('branch', '-D', 'b-moves');
    const again = await lab.stack.repository.commit({ 'a.yaml': 'a: 2\n' }, 'b-moves');
    expect(await newsOf('b-moves')).toMatchObject({ head: again, state: 'moved', message: expect.stringContaining('ended Synced') });
  });

  it('asks a remote once for polls that come together, whosever they are, and anew for a person', async () => {
    lab.forget();
    const before = lab.counts.heads;
    await lab.check({ polls: [60_000] });
    await lab.check({ polls: [60_000] });
    expect(lab.counts.heads).toBe(before + 1);
    await lab.check({ polls: 'all' });
    expect(lab.counts.heads).toBe(before + 2);
  });

  it('tells a new stream and its targets by the same look at the remote, however lately that was asked', async () => {
    await lab.check({ groups: 'all' });
    await lab.stack.repository.commit({ 'a.yaml': 'a: 1\n' }, 'b-new');
    const { streams, groups } = await lab.check({ groups: 'all', polls: 'all' });
    expect(streams?.map(({ stream }) => stream)).toContain('b-new');
    expect(groups.flatMap(({ targets }) => targets ?? [])).toContainEqual(expect.objectContaining({ id: 'settings/b-new/0', status: 'Pending' }));
  });

  it('tells apart what may pass from what waits for a commit', async () => {
    expect(await lab.stack.push({ 'a.yaml': 'a: [\n' }, 'b-invalid')).toMatchObject({ status: 'Rejected' });
    expect(await newsOf('b-invalid')).toMatchObject({ state: 'waiting', message: expect.stringContaining('ended Rejected') });
  });

  it('knows the environments of the tree, and never those of a rule that is off', async () => {
    const files = { 'envs/eu/p.yaml': 'p: 1\n', 'envs/us/p.yaml': 'p: 2\n' };
    expect(await lab.stack.push(files, 'tree')).toMatchObject({ status: 'Synced' });
    await lab.stack.repository.commit({ 'envs/asia/p.yaml': 'p: 3\n' }, 'tree');
    await lab.client.hset('paths:eu', 'p', 'theirs');
    const targets = await allTargets();
    expect(targets.filter(({ rule }) => rule === 'off')).toEqual([]);
    expect(targets.filter(({ rule }) => rule === 'paths').map(({ id, status, mode }) => [id, status, mode])).toEqual([
      ['paths/eu/0', 'Drifted', 'warn'],
      ['paths/asia/0', 'Pending', 'warn'],
      ['paths/us/0', 'InSync', 'warn'],
    ]);
  });

  it('goes on where it was when its worker is gone, and reads the others', async () => {
    for (const branch of ['b-before', 'b-after']) expect(await lab.stack.push({ 'a.yaml': 'a: 1\n' }, branch)).toMatchObject({ status: 'Synced' });
    lab.forget();
    const input: CheckTenantInput = { tenant: lab.stack.tenant, groups: 'all', polls: [], targets: [], secretVersions: {} };
    const { deps } = lab;
    const isBeforeFound = Promise.withResolvers<void>();
    const memory: typeof deps.memory = {
      ...deps.memory,
      of(bundle) {
        const targets = deps.memory.of(bundle);
        const set: typeof targets.set = (key, target) => {
          targets.set(key, target);
          // The end of the look at it.
          if (key.includes('app:b-before')) setImmediate(isBeforeFound.resolve);
        };
        return { get: (key) => targets.get(key), set };
      },
    };
    const sinks: typeof deps.sinks = {
      ...deps.sinks,
      async get(...args) {
        const sink = await deps.sinks.get(...args);
        const read: typeof sink.read = async (place, context) => {
          if (place.name !== 'app:b-after') return sink.read(place, context);
          return new Promise<never>((_, reject) => context.signal.addEventListener('abort', () => reject(new Error('gone'))));
        };
        return { ...sink, read };
      },
    };
    const first = new MockActivityEnvironment();
    const beats: unknown[] = [];
    first.on('heartbeat', (beat: unknown) => beats.push(beat));
    const dying = first.run(() => checkTenant({ ...deps, sinks, memory }, input)).catch((error: unknown) => error);
    await isBeforeFound.promise;
    first.cancel();
    await dying;

    for (const place of ['app:b-before', 'app:b-after']) await lab.client.hset(place, 'a', 'theirs');
    const second = new MockActivityEnvironment({ attempt: 2, heartbeatDetails: JSON.parse(JSON.stringify(beats.at(-1))) as unknown });
    const check: Awaited<ReturnType<typeof checkTenant>> = await second.run(() => checkTenant(lab.deps, input));
    const statusIn = (targets: readonly CheckedTarget[], branch: string) => targets.find(({ id }) => id === `settings/${branch}/0`)?.status;
    const resumed = check.kind === 'gone' ? [] : check.groups.flatMap(({ targets }) => targets ?? []);
    expect([statusIn(resumed, 'b-before'), statusIn(resumed, 'b-after')]).toEqual(['InSync', 'Drifted']);
    const anew = await allTargets();
    expect([statusIn(anew, 'b-before'), statusIn(anew, 'b-after')]).toEqual(['Drifted', 'Drifted']);
  });

  it('compares a target of two streams once, with the commit of the one that its ledger names', async () => {
    const branch = await lab.stack.push({ 'shared.yaml': 's: 1\n' }, 'release');
    expect(branch).toMatchObject({ status: 'Synced' });
    const commit = await lab.stack.repository.commit({ 'shared.yaml': 's: 2\n' }, 'release');
    await lab.stack.repository.git('push', '-q', 'origin', `${commit}:refs/tags/v1`);
    expect(await lab.stack.sync({ id: 'tag', ref: { kind: 'tag', name: 'v1' } }, 'tags:v*')).toMatchObject({ status: 'Synced' });
    expect((await allTargets()).filter(({ rule }) => rule === 'shared')).toMatchObject([
      { id: 'shared/production/0', status: 'InSync', stream: 'tags:v*', commit },
    ]);
    await lab.client.hset('shared:production', 's', '1');
    expect(await lab.checkOne('shared/production/0')).toMatchObject({
      status: 'Drifted',
      remedy: 'heal',
      stream: 'tags:v*',
      commit,
      event: { kind: 'tag', name: 'v1' },
    });
  });

  it('follows pull requests that somebody opened, and lets go of those that are closed', async () => {
    const commit = await lab.stack.repository.commit({ 'a.yaml': 'a: 7\n' }, 'feature');
    for (const number of [7, 8]) await lab.stack.repository.git('push', '-q', 'origin', `${commit}:refs/pull/${number}/head`);
    const pullRequest = { number: 7, branch: 'feature' };
    await lab.stack.post({ pullRequest: { ...pullRequest, state: 'open' }, commit }, { delivery: 'opened' });
    expect(await lab.stack.outcomeOf('pr:7', 'opened')).toMatchObject({ status: 'Synced' });
    expect(await lab.checkOne('settings/pr-7/0')).toMatchObject({ status: 'InSync', stream: 'pr:7' });
    expect(await newsOf('pr:8')).toBeUndefined();
    const moved = await lab.stack.repository.commit({ 'a.yaml': 'a: 8\n' }, 'feature');
    await lab.stack.repository.git('push', '-q', '-f', 'origin', `${moved}:refs/pull/7/head`);
    expect(await newsOf('pr:7')).toMatchObject({ state: 'moved', head: moved });

    await lab.stack.post({ pullRequest: { ...pullRequest, state: 'closed' }, commit }, { delivery: 'closed' });
    expect(await lab.stack.outcomeOf('pr:7', 'closed')).toMatchObject({ status: 'Synced' });
    expect(await newsOf('pr:7')).toBeUndefined();
    expect(await lab.checkOne('settings/pr-7/0')).toBeUndefined();
  });

  it('tells a closed pull request whose clean-up failed until it is done, and cleans up none that was opened again', async () => {
    const commit = await lab.stack.repository.commit({ 'a.yaml': 'a: 9\n' }, 'other-feature');
    await lab.stack.repository.git('push', '-q', 'origin', `${commit}:refs/pull/9/head`);
    const ref = { kind: 'pull-request', number: 9 } as const;
    const open = (id: string) => lab.stack.sync({ id, trigger: 'push', ref, commit }, 'pr:9');
    const close = (id: string) => lab.stack.sync({ id, trigger: 'closed', ref, commit }, 'pr:9');
    const again = (id: string) => {
      const runs = [{ repository: 'config', stream: 'pr:9', request: { id, trigger: 'closed', ref, commit } as const }];
      return inActivity(() => startRuns(lab.deps, { tenant: lab.stack.tenant, runs }));
    };
    expect(await open('nine')).toMatchObject({ status: 'Synced' });
    const ledger = await lab.ledgerOf('app:pr-9');
    await lab.setLedger('app:pr-9', null);
    await lab.client.lpush('{app:pr-9}:vartrack', 'no ledger');
    expect((await close('closes')).status).toMatch(/Failed|Partial|RolledBack/);
    expect(await newsOf('pr:9')).toMatchObject({ trigger: 'closed', state: 'failed', head: commit, message: expect.stringContaining('its clean-up ended') });
    // What is to go is not looked at, let alone healed.
    expect(await lab.checkOne('settings/pr-9/0')).toBeUndefined();

    await lab.setLedger('app:pr-9', null);
    await lab.setLedger('app:pr-9', ledger);
    await again('cleans-up');
    expect(await lab.stack.outcomeOf('pr:9', 'cleans-up')).toMatchObject({ status: 'Synced', commit });
    expect(await newsOf('pr:9')).toBeUndefined();
    expect(await lab.client.keys('*app:pr-9*')).toEqual([]);

    expect(await open('reopened')).toMatchObject({ status: 'Synced' });
    await again('too-late');
    expect(await lab.client.hget('app:pr-9', 'a')).toBe('9');
    expect(await lab.checkOne('settings/pr-9/0')).toMatchObject({ status: 'InSync' });
    const runs = await lab.stack.temporal.client.workflow.getHandle(syncWorkflowId(lab.stack.tenant, 'config', 'pr:9')).describe();
    expect(runs.typedSearchAttributes.get(searchAttributes.trigger)).toBe('push');
  });
});
