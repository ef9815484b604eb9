import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { applyTarget } from '../../activities/apply-target.ts';
import { prepare } from '../../activities/prepare.ts';
import { restoreTarget } from '../../activities/restore-target.ts';
import { describeWith } from '../servers/describe-with.ts';
import { DEVELOP, expectEverywhere, filesOf, MAIN, openWorld, type World } from './world.ts';

// Orders of events that a test can make happen exactly, by holding one call to a sink: what must be true whoever comes first.

// Each is a dozen processes of Git and a run or two, on a machine that may do other things as well.
vi.setConfig({ testTimeout: 90_000 });

describeWith(['temporal', 'redis'], 'the order of pushes, writes and undoing', () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld();
  });
  afterEach(async () => {
    await world.idle();
    await world.reset();
  });
  afterAll(() => world?.close());

  const commit = (word: string, branch = 'main', keys?: readonly string[]) => world.stack.repository.commit(filesOf(word, keys), branch);
  const git = (...args: readonly string[]) => world.stack.repository.git(...args);
  const force = (to: string, branch = 'main') => git('push', '-q', '-f', 'origin', `${to}:refs/heads/${branch}`);
  const tag = async (name: string, at: string) => {
    await git('tag', '-f', name, at);
    await git('push', '-q', '-f', 'origin', `refs/tags/${name}`);
  };
  const pushed = async (word: string) => world.outcomeOf(await world.webhook(MAIN, await commit(word)));

  it('ends at A when A, B, A are pushed and the write of B is late', async () => {
    const a = await commit('first');
    expect(await world.outcomeOf(await world.webhook(MAIN, a))).toMatchObject({ status: 'Synced', commit: a });
    const b = await commit('second');
    const late = world.control.hold('before', (call) => call.op === 'apply' && call.kind === 'redis' && call.commit === b);
    const second = await world.webhook(MAIN, b);
    await late.reached;
    await force(a);
    const third = await world.webhook(MAIN, a);
    expect(await world.outcomeOf(third)).toMatchObject({ commit: a });
    late.release();
    expect((await world.outcomeOf(second)).status).toBe('Superseded');
    await expectEverywhere(world, 'production', 'first');
  });

  it('ends at the head when it is force-pushed aside while a write is under way', async () => {
    const root = await commit('first');
    expect((await world.outcomeOf(await world.webhook(MAIN, root))).status).toBe('Synced');
    const b = await commit('second');
    const held = world.control.hold('after', (call) => call.op === 'apply' && call.kind === 'redis' && call.commit === b);
    const second = await world.webhook(MAIN, b);
    await held.reached;
    await git('checkout', '-q', 'main');
    await git('reset', '-q', '--hard', root);
    const aside = await commit('aside');
    const third = await world.webhook(MAIN, aside);
    held.release();
    expect(await world.outcomeOf(third)).toMatchObject({ status: 'Synced', commit: aside });
    await world.outcomeOf(second);
    await expectEverywhere(world, 'production', 'aside');
  });

  it('ends at the newest commit when the webhooks come in reverse order', async () => {
    const commits = [await commit('one'), await commit('two'), await commit('three')];
    const requests = [];
    for (const each of commits.toReversed()) requests.push(await world.webhook(MAIN, each));
    for (const request of requests) expect(['Synced', 'Unchanged', 'Superseded']).toContain((await world.outcomeOf(request)).status);
    await expectEverywhere(world, 'production', 'three');
  });

  it('settles fifty pushes to one stream in a few runs, at the head', async () => {
    const commits = [await commit('before')];
    for (let n = 1; n < 49; n++) commits.push(await git('commit-tree', '-m', `push ${n}`, '-p', commits.at(-1) ?? '', 'HEAD^{tree}'));
    await git('reset', '-q', '--hard', commits.at(-1) ?? '');
    commits.push(await commit('newest'));
    const requests = await Promise.all(commits.map((each) => world.webhook(MAIN, each)));
    for (const request of requests) expect(['Synced', 'Unchanged', 'Superseded']).toContain((await world.outcomeOf(request)).status);
    await expectEverywhere(world, 'production', 'newest');
    expect(new Set(requests.map(({ runId }) => runId)).size).toBeLessThanOrEqual(5);
    expect(world.control.records.length).toBeLessThanOrEqual(9);
  });

  it('ends at the tag as it stands when it was moved and moved back', async () => {
    const [a, b] = [await commit('first'), await commit('second')];
    await force(a);
    const V1 = { kind: 'tag', name: 'v1' } as const;
    await tag('v1', a);
    expect((await world.outcomeOf(await world.webhook(V1, a))).status).toBe('Synced');
    await tag('v1', b);
    expect((await world.outcomeOf(await world.webhook(V1, b))).status).toBe('Synced');
    await expectEverywhere(world, 'production', 'second');
    await tag('v1', a);
    expect((await world.outcomeOf(await world.webhook(V1, a))).status).toBe('Synced');
    await expectEverywhere(world, 'production', 'first');
    await git('push', '-q', 'origin', ':refs/tags/v1');
  });

  it('ends at the highest tag when the webhook of a lower one comes last', async () => {
    const [older, newer] = [await commit('older'), await commit('newer')];
    // A hotfix of an old line, made after the release.
    await tag('v2', older);
    await tag('v1.9', newer);
    expect((await world.outcomeOf(await world.webhook({ kind: 'tag', name: 'v2' }, older))).status).toBe('Synced');
    await world.outcomeOf(await world.webhook({ kind: 'tag', name: 'v1.9' }, newer));
    await git('push', '-q', 'origin', ':refs/tags/v2', ':refs/tags/v1.9');
    await expectEverywhere(world, 'production', 'older');
  });

  it('ends at the highest tag when two tags are pushed at once and the lower one is told last', async () => {
    expect((await pushed('base')).status).toBe('Synced');
    const [one, two] = [await commit('one'), await commit('two')];
    await tag('v1', one);
    await tag('v2', two);
    const held = world.control.hold('before', (call) => call.op === 'read' && call.kind === 'redis');
    const first = await world.ask({ kind: 'tag', name: 'v1' });
    await held.reached;
    const requests = [first, await world.webhook({ kind: 'tag', name: 'v2' }, two), await world.webhook({ kind: 'tag', name: 'v1' }, one)];
    held.release();
    await Promise.all(requests.map((request) => world.outcomeOf(request)));
    await git('push', '-q', 'origin', ':refs/tags/v1', ':refs/tags/v2');
    await expectEverywhere(world, 'production', 'two');
  });

  it('keeps a newer commit of the branch when a worker that has never seen it is asked for an older tag', async () => {
    const older = await commit('older');
    const newer = await commit('newer');
    expect((await world.outcomeOf(await world.webhook(MAIN, newer))).status).toBe('Synced');
    // As on a machine where no run of the branch has been yet.
    for (const cache of ['cache', 'cache1']) await rm(join(world.stack.directory, cache), { recursive: true, force: true });
    await tag('v1', older);
    expect((await world.outcomeOf(await world.webhook({ kind: 'tag', name: 'v1' }, older))).status).toBe('Superseded');
    await git('push', '-q', 'origin', ':refs/tags/v1');
    await expectEverywhere(world, 'production', 'newer');
  });

  it('lets a newer push take over within five seconds from a write that is retried', async () => {
    expect((await pushed('first')).status).toBe('Synced');
    const b = await commit('second');
    const mend = world.control.cut((call) => call.op === 'apply' && call.kind === 'redis' && call.commit === b);
    const failing = world.control.hold('before', (call) => call.op === 'apply' && call.kind === 'linux' && call.commit === b);
    const second = await world.webhook(MAIN, b);
    await failing.reached;
    failing.release();
    const c = await commit('third');
    const from = performance.now();
    const third = await world.webhook(MAIN, c);
    await expect.poll(() => world.redis.hget('app:production', 'a'), { timeout: 5_000, interval: 20 }).toBe('third');
    expect(performance.now() - from).toBeLessThan(5_000);
    expect(await world.outcomeOf(third)).toMatchObject({ status: 'Synced', commit: c });
    // An attempt that fails at the moment of its cancellation counts as failed, and its rule as rolled back, which it is.
    expect(['Superseded', 'RolledBack']).toContain((await world.outcomeOf(second)).status);
    mend();
    await expectEverywhere(world, 'production', 'third');
  });

  it('ends at the newer push that comes while an older one is being undone', async () => {
    expect((await pushed('first')).status).toBe('Synced');
    await writeFile(join(world.stack.directory, 'refuse'), '');
    const undoing = world.control.hold('before', (call) => call.op === 'restore');
    const second = await world.webhook(MAIN, await commit('second'));
    await undoing.reached;
    await rm(join(world.stack.directory, 'refuse'));
    const third = await world.webhook(MAIN, await commit('third'));
    undoing.release();
    expect((await world.outcomeOf(third)).status).toBe('Synced');
    expect(['Superseded', 'RolledBack']).toContain((await world.outcomeOf(second)).status);
    await expectEverywhere(world, 'production', 'third');
  });

  it('undoes a newer write to what was there before both, though its first attempt was not heard', async () => {
    expect((await pushed('first')).status).toBe('Synced');
    const file = await readFile(join(world.files, 'production.env'), 'utf8');
    const b = await commit('second');
    // B is written to Redis and taken over while the file is under way; its undo does not come through.
    const slow = world.control.hold('before', (call) => call.op === 'apply' && call.kind === 'linux' && call.commit === b);
    const stuck = world.control.hold('before', (call) => call.op === 'restore' && call.place === 'app:production');
    const second = await world.webhook(MAIN, b);
    await slow.reached;
    await expect.poll(() => world.redis.hget('app:production', 'a')).toBe('second');
    // C undoes B and writes Redis; the answer of that write is lost, and the next attempt finds its own work. Then the file refuses.
    const c = await commit('third');
    await writeFile(join(world.stack.directory, 'refuse'), '');
    const lost = world.control.hold('after', (call) => call.op === 'apply' && call.commit === c && call.place === 'app:production');
    const refusal = world.control.hold('before', (call) => call.op === 'apply' && call.kind === 'linux' && call.commit === c);
    const third = await world.webhook(MAIN, c);
    await Promise.all([stuck.reached, lost.reached, refusal.reached]);
    lost.release('unavailable');
    await expect.poll(() => pendingOf(world, third), { timeout: 10_000 }).toBe(1);
    refusal.release();
    expect((await world.outcomeOf(third)).status).toBe('RolledBack');
    await world.outcomeOf(second);
    expect(await world.redis.hgetall('app:production')).toEqual({ a: 'first', b: 'first' });
    expect(await readFile(join(world.files, 'production.env'), 'utf8')).toBe(file);
  });

  it('undoes to what was there before, though somebody changed a key between two attempts of the write', async () => {
    expect((await pushed('first')).status).toBe('Synced');
    const b = await commit('second');
    const lost = world.control.hold('after', (call) => call.op === 'apply' && call.place === 'app:production' && call.commit === b);
    const refusal = world.control.hold('before', (call) => call.op === 'apply' && call.kind === 'linux' && call.commit === b);
    await writeFile(join(world.stack.directory, 'refuse'), '');
    const second = await world.webhook(MAIN, b);
    await Promise.all([lost.reached, refusal.reached]);
    await world.redis.hset('app:production', 'a', 'drifted');
    lost.release('unavailable');
    await expect.poll(() => world.redis.hget('app:production', 'a'), { timeout: 10_000 }).toBe('second');
    await expect.poll(() => pendingOf(world, second), { timeout: 10_000 }).toBe(1);
    refusal.release();
    expect((await world.outcomeOf(second)).status).toBe('RolledBack');
    expect(await world.redis.hgetall('app:production')).toEqual({ a: 'first', b: 'first' });
  });

  it.each([
    ['its own undo', ['late/1']],
    ['the undo of it and of the write that it undid first', ['earlier/1', 'late/1']],
  ])('does not go on with a write that was under way when it was shut out by %s', async (_, writes) => {
    expect((await pushed('first')).status).toBe('Synced');
    const b = await commit('second');
    const names = { tenant: world.stack.tenant, repository: 'config', stream: 'main' };
    const request = { id: 'late', trigger: 'push', ref: MAIN } as const;
    const { deps, close } = await world.stack.workerParts();
    try {
      const prepared = await inActivity(() => prepare(deps, { ...names, request }));
      const target = prepared.kind === 'ready' ? prepared.rules.flatMap(({ targets }) => targets).find(({ place }) => place === 'app:production') : undefined;
      if (!target) throw new Error(`not ready: ${JSON.stringify(prepared)}`);
      const input = { ...names, request, commit: b, target };
      const [earlier] = writes.length > 1 ? writes : [];
      if (earlier !== undefined) await inActivity(() => applyTarget(deps, { ...input, write: earlier }));
      // The workflow's patience ended while the sink was slow, and nobody could tell the attempt.
      const held = world.control.hold('before', (call) => call.op === 'apply' && call.write === 'late/1');
      const late = inActivity(() => applyTarget(deps, { ...input, write: 'late/1', ...(earlier !== undefined && { undoFirst: [earlier] }) }));
      await held.reached;
      await inActivity(() => restoreTarget(deps, { ...input, writes }));
      held.release();
      await expect(late).rejects.toThrow(/shut it out/);
      expect(await world.redis.hgetall('app:production')).toEqual({ a: 'first', b: 'first' });
      // Nor does one begin that was held up before its first read.
      await expect(inActivity(() => applyTarget(deps, { ...input, write: 'late/1' }))).rejects.toThrow(/shut it out/);
    } finally {
      await close();
    }
  });

  it.each(['preparing', 'writing', 'restoring'] as const)('leaves all or nothing when a person cancels it while %s', async (phase) => {
    expect((await pushed('first')).status).toBe('Synced');
    const b = await commit('second');
    if (phase === 'restoring') await writeFile(join(world.stack.directory, 'refuse'), '');
    const at = world.control.hold(phase === 'writing' ? 'after' : 'before', (call) =>
      phase === 'preparing' ? call.op === 'read' : phase === 'writing' ? call.op === 'apply' && call.place === 'app:production' : call.op === 'restore',
    );
    const second = await world.webhook(MAIN, b);
    await at.reached;
    const handle = world.stack.temporal.client.workflow.getHandle(second.workflowId, second.runId);
    await handle.cancel();
    at.release();
    const ended = await handle.result().then(
      () => 'completed',
      () => 'cancelled',
    );
    expect(ended).toBe('cancelled');
    const word = await world.redis.hget('app:production', 'a');
    if (phase !== 'writing') expect(word).toBe('first');
    expect(await readFile(join(world.files, 'production.env'), 'utf8')).toContain(`A=${word ?? ''}`);
    // What was cancelled is not forgotten: the next request brings it.
    await rm(join(world.stack.directory, 'refuse'), { force: true });
    await world.outcomeOf(await world.ask(MAIN));
    await expectEverywhere(world, 'production', 'second');
  });

  it('acts on a push that comes while a cancelled run still undoes', async () => {
    expect((await pushed('first')).status).toBe('Synced');
    await writeFile(join(world.stack.directory, 'refuse'), '');
    const undoing = world.control.hold('before', (call) => call.op === 'restore');
    const second = await world.webhook(MAIN, await commit('second'));
    await undoing.reached;
    const handle = world.stack.temporal.client.workflow.getHandle(second.workflowId, second.runId);
    await handle.cancel();
    await rm(join(world.stack.directory, 'refuse'));
    const third = await world.webhook(MAIN, await commit('third'));
    undoing.release();
    await handle.result().catch(() => undefined);
    await expect.poll(() => world.redis.hget('app:production', 'a'), { timeout: 10_000 }).toBe('third');
    expect(third.workflowId).toBe(second.workflowId);
  });

  it('feeds two environments from two streams at once, and each ends at its own head', async () => {
    const [main, develop] = [await commit('blue'), await commit('green', 'develop')];
    const [one, two] = await Promise.all([world.webhook(MAIN, main), world.webhook(DEVELOP, develop)]);
    expect([(await world.outcomeOf(one)).status, (await world.outcomeOf(two)).status]).toEqual(['Synced', 'Synced']);
    await expectEverywhere(world, 'production', 'blue');
    await expectEverywhere(world, 'staging', 'green');
  });
});

/** Activities that the run still waits for. */
async function pendingOf(world: World, request: { workflowId: string; runId: string }): Promise<number> {
  const { raw } = await world.stack.temporal.client.workflow.getHandle(request.workflowId, request.runId).describe();
  return raw.pendingActivities?.length ?? 0;
}

function inActivity<T>(act: () => Promise<T>): Promise<T> {
  return new MockActivityEnvironment().run(act);
}
