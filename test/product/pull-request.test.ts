import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { CONFIG_REPOSITORY, openStack, type Stack } from './stack.ts';

describeWith(['temporal', 'redis'], 'the environment of a pull request', () => {
  let redis: RedisServer;
  let client: Redis;
  let stack: Stack;
  beforeAll(async () => {
    redis = await startRedis();
    client = new Redis(redis.url);
    stack = await openStack({
      tenant: `${CONFIG_REPOSITORY}
sinks:
  cache: { kind: redis, url: "${redis.url}" }
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:
  settings:
    from: { repository: config, files: [ "a.yaml" ] }
    environments: { branches: { main: production }, pullRequests: "pr-{number}" }
    schema: none
    to: [ { sink: cache, place: "app:{env}" }, { sink: files, place: "{dir}/files/{env}.env" } ]
`,
    });
  });
  afterAll(async () => {
    await stack?.close();
    client?.disconnect();
    await redis?.stop();
  });

  it('is made by a push to it, and removed with nothing else when it is closed, though its branch is gone', async () => {
    expect(await stack.push({ 'a.yaml': 'a: 1\n' })).toMatchObject({ status: 'Synced' });
    const commit = await stack.repository.commit({ 'a.yaml': 'a: 2\n' }, 'feature');
    await stack.repository.git('push', '-q', 'origin', `${commit}:refs/pull/7/head`);
    const pullRequest = { number: 7, branch: 'feature', state: 'open' };
    expect(await stack.post({ pullRequest, commit }, { delivery: 'opened' })).toMatchObject({ status: 202 });
    expect(await stack.outcomeOf('pr:7', 'opened')).toMatchObject({ status: 'Synced' });
    expect(await client.hgetall('app:pr-7')).toEqual({ a: '2' });
    await client.hset('app:pr-7', 'foreign', 'theirs');

    await stack.repository.git('push', '-q', 'origin', '--delete', 'feature', 'refs/pull/7/head');
    expect(await stack.post({ pullRequest: { ...pullRequest, state: 'closed' }, commit }, { delivery: 'closed' })).toMatchObject({ status: 202 });
    expect(await stack.outcomeOf('pr:7', 'closed')).toMatchObject({ status: 'Synced' });
    expect(await client.hgetall('app:pr-7')).toEqual({ foreign: 'theirs' });
    expect((await client.keys('*')).filter((key) => key.includes('pr-7'))).toEqual(['app:pr-7']);
    expect((await readdir(join(stack.directory, 'files'))).filter((name) => name.includes('pr-7'))).toEqual([]);
    expect(await client.hgetall('app:production')).toEqual({ a: '1' });

    expect(await stack.post({ pullRequest: { ...pullRequest, state: 'closed' }, commit }, { delivery: 'closed-again' })).toMatchObject({ status: 202 });
    expect(await stack.outcomeOf('pr:7', 'closed-again')).toMatchObject({ status: 'Unchanged' });
  });
});
