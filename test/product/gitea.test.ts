import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../servers/describe-with.ts';
import { startGitea, type GiteaRepository, type GiteaServer } from '../servers/gitea.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { openStack, type Stack } from './stack.ts';

const SECRET = 'the secret of the hook';

describeWith(['temporal', 'redis', 'gitea'], 'a push to a real Gitea', () => {
  let gitea: GiteaServer;
  let redis: RedisServer;
  let client: Redis;
  let stack: Stack;
  let repository: GiteaRepository;

  beforeAll(async () => {
    [gitea, redis] = await Promise.all([startGitea(), startRedis()]);
    client = new Redis(redis.url);
    repository = await gitea.createRepository('settings');
    await gitea.api('PATCH', `/repos/${repository.fullName}`, { private: true });
    stack = await openStack({
      env: { GITEA_SECRET: SECRET, GITEA_TOKEN: gitea.adminToken },
      tenant: `repositories:
  config: { provider: gitea, url: "${repository.cloneUrl}", credentials: { token: { env: GITEA_TOKEN } }, webhookSecret: { env: GITEA_SECRET }, poll: off }
sinks:
  cache: { kind: redis, url: "${redis.url}" }
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:
  settings:
    from: { repository: config, files: [ "settings.yaml" ] }
    environments: { branches: { main: production }, tags: { "v*": released } }
    schema: { file: settings.cue, definition: "#Settings" }
    to: [ { sink: cache, place: "app:{env}" }, { sink: files, place: "{dir}/files/{env}.env" } ]
`,
    });
    await repository.addWebhook(`${stack.api.url}/webhooks/${stack.tenant}/config`, SECRET);
  }, 120_000);
  afterAll(async () => {
    await stack?.close();
    client?.disconnect();
    await Promise.all([gitea?.stop(), redis?.stop()]);
  });

  it('sends its own signed webhook, and the value is in Redis and in the file', async () => {
    await repository.push('main', { 'settings.yaml': 'pool: { size: 5 }\n', 'settings.cue': '#Settings: pool: size: int & <=100\n' });
    await expect.poll(() => client.hgetall('app:production'), { timeout: 20_000 }).toEqual({ 'pool.size': '5' });
    await expect.poll(fileOf('production'), { timeout: 20_000 }).toMatch(/^POOL_SIZE=["']?5["']?$/m);
  });

  it('that is a tag goes to the environment of the tag', async () => {
    await repository.pushTag('v1.0.0');
    await expect.poll(() => client.hgetall('app:released'), { timeout: 20_000 }).toEqual({ 'pool.size': '5' });
    await expect.poll(fileOf('released'), { timeout: 20_000 }).toMatch(/POOL_SIZE/);
  });

  function fileOf(environment: string): () => Promise<string> {
    return () => readFile(join(stack.directory, `files/${environment}.env`), 'utf8').catch(() => '');
  }
});
