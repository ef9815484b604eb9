import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import type { WatchedStream } from '../../domain/drift.ts';
import type { RunStatus } from '../../domain/status.ts';
import { checkNowSignal, syncWorkflowId } from '../../workflows/messages.ts';
import { searchAttributes } from '../../workflows/search-attributes.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startGitHttp, type GitHttp } from '../servers/git-http.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { openStack, type Stack } from './stack.ts';
import { eventually, watchOf } from './watch-of.ts';

const POLL_MS = 1_000;
vi.setConfig({ testTimeout: 60_000 });

describeWith(['temporal', 'redis'], 'streams whose webhooks are lost', () => {
  /** Times at which the forge was asked for its refs. */
  const asked: number[] = [];
  let isForgeDown = false;
  let forge: GitHttp;
  let redis: RedisServer;
  let client: Redis;
  let stack: Stack;

  beforeAll(async () => {
    redis = await startRedis();
    client = new Redis(redis.url);
    await may('on', '>redis-secret', '+@all', '~*');
    forge = await startGitHttp({
      root: '/',
      onRequest(request, response) {
        if (request.url?.includes('/info/refs')) asked.push(performance.now());
        if (!isForgeDown) return 'pass';
        response.writeHead(503).end();
        return 'answered';
      },
    });
    stack = await openStack({
      env: { REDIS_PASSWORD: 'redis-secret' },
      tenant: `
repositories:
  config: { provider: generic, url: "${forge.url}{dir}/repository.git", webhookSecret: { env: STACK_WEBHOOK_SECRET }, poll: ${POLL_MS}ms }
sinks:
  cache: { kind: redis, url: "${redis.url}", username: vartrack, password: { env: REDIS_PASSWORD } }
rules:
  app:
    from: { repository: config, files: [ "app.yaml" ] }
    environments: { branches: { "*": "{branch}" } }
    schema: { file: app.cue, definition: "#App" }
    to: [ { sink: cache, place: "app:{env}" } ]
    timeout: 1s
    drift: { mode: heal, interval: 60s }
  other:
    from: { repository: config, files: [ "app.yaml" ] }
    environments: { branches: { "*": "{branch}" } }
    schema: none
    to: [ { sink: cache, place: "other:{env}" } ]
    timeout: 1s
    drift: { mode: heal, interval: 60s }
`,
    });
  });
  afterAll(async () => {
    await stack?.close();
    client?.disconnect();
    await Promise.all([redis?.stop(), forge?.close()]);
  });

  const may = (...rights: readonly string[]) => client.call('ACL', 'SETUSER', 'vartrack', ...rights);
  const watch = () => watchOf(stack);
  const state = () => watch().state();
  const streamOf = async (name: string): Promise<WatchedStream | undefined> => (await state()).streams.find(({ stream }) => stream === name);
  const commit = (branch: string, n: number | string): Promise<string> =>
    stack.repository.commit({ 'app.yaml': `n: ${n}\n# ${randomUUID()}\n`, 'app.cue': '#App: { n: int & <100 }\n' }, branch);
  const value = (branch: string, rule = 'app') => client.hget(`${rule}:${branch}`, 'n');
  const applied = (branch: string, n: number) => eventually(async () => expect([await value(branch), await value(branch, 'other')]).toEqual([`${n}`, `${n}`]));

  /** How the runs of a stream ended, oldest first. */
  async function runsOf(branch: string): Promise<readonly (RunStatus | undefined)[]> {
    const found: [Date, RunStatus | undefined][] = [];
    for await (const run of stack.temporal.client.workflow.list({ query: `WorkflowId = "${syncWorkflowId(stack.tenant, 'config', branch)}"` }))
      found.push([run.startTime, run.typedSearchAttributes.get(searchAttributes.status) as RunStatus | undefined]);
    return found.toSorted(([a], [b]) => a.getTime() - b.getTime()).map(([, status]) => status);
  }

  it('are found by their heads, asked once for all rules of the repository', async () => {
    await commit('main', 1);
    await applied('main', 1);
    await eventually(async () => expect(await streamOf('main')).toBeUndefined());
    const from = asked.length;
    await eventually(async () => expect(asked.length - from).toBeGreaterThanOrEqual(4));
    // A look that was late is soon followed by the next.
    expect((asked.at(-1) ?? 0) - (asked[from] ?? 0)).toBeGreaterThan(2 * POLL_MS);
    expect(await runsOf('main')).toEqual(['Synced']);
  });

  it('wait while the forge is down, and are found when it is back', async () => {
    isForgeDown = true;
    const from = asked.length;
    await commit('main', 2);
    await eventually(async () => expect(asked.length).toBeGreaterThan(from));
    await eventually(async () => expect(await watch().page()).toMatch(/could not be polled: config: /));
    expect(await value('main')).toBe('1');
    isForgeDown = false;
    // It is asked less often by now.
    await watch().signal(checkNowSignal, {});
    await applied('main', 2);
    await eventually(async () => expect(await watch().page()).not.toContain('could not be polled'));
  });

  it('of a branch that was deleted keep what they have, and go on when it is made anew', async () => {
    await commit('feature', 3);
    await applied('feature', 3);
    await stack.repository.git('push', '-q', 'origin', ':refs/heads/feature');
    await watch().signal(checkNowSignal, {});
    await eventually(async () => expect((await state()).busy).toBeUndefined());
    expect(await value('feature')).toBe('3');
    expect(await streamOf('feature')).toBeUndefined();

    await stack.repository.git('checkout', '-q', 'main');
    await stack.repository.git('branch', '-q', '-D', 'feature');
    await commit('feature', 4);
    await applied('feature', 4);
  });

  it('are tried again while a sink refuses, until it takes them', async () => {
    onTestFinished(async () => void (await may('resetkeys', '~*')));
    await may('resetkeys', '~*app:*', '%R~*other:*');
    const pushed = await commit('main', 5);
    const before = await runsOf('main');
    await stack.post({ repository: `${forge.url}${stack.directory}/repository.git`, ref: 'refs/heads/main', commit: pushed });
    await eventually(async () => expect(await streamOf('main')).toMatchObject({ state: 'failed', message: expect.stringContaining('RolledBack') as string }));
    expect(await value('main', 'other')).toBe('2');
    await may('resetkeys', '~*');
    await applied('main', 5);
    await eventually(async () => expect(await state()).toMatchObject({ status: 'InSync', streams: [] }));
    // On a busy machine it is tried once more before the sink takes it.
    const runs = (await runsOf('main')).slice(before.length);
    expect(runs.at(-1)).toBe('Synced');
    expect(new Set(runs.slice(0, -1))).toEqual(new Set(['RolledBack']));
  });

  it('that a schema or a stranger is in the way of are not tried again', async () => {
    await commit('main', 500);
    await client.hset('app:held', 'n', 'theirs');
    await commit('held', 6);
    await eventually(async () => {
      expect(await streamOf('main')).toMatchObject({ state: 'waiting', message: expect.stringContaining('Rejected') as string });
      expect(await streamOf('held')).toMatchObject({ state: 'waiting', message: expect.stringContaining('Held') as string });
    });
    const runs = [await runsOf('main'), await runsOf('held')];
    const from = asked.length;
    await eventually(async () => expect(asked.length - from).toBeGreaterThanOrEqual(3));
    expect([await runsOf('main'), await runsOf('held')]).toEqual(runs);
    expect(await value('held')).toBe('theirs');
    expect(await streamOf('main')).not.toHaveProperty('nextAttemptAt');
    await client.del('app:held');
    await commit('main', 7);
    await applied('main', 7);
  });
});
