import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { CONFIG_REPOSITORY, openStack, type Stack } from './stack.ts';

describeWith(['temporal', 'redis'], 'a push, from the webhook to two sinks', () => {
  let redis: RedisServer;
  let stack: Stack;
  let client: Redis;
  beforeAll(async () => {
    redis = await startRedis();
    client = new Redis(redis.url);
    stack = await openStack({
      tenant: `
${CONFIG_REPOSITORY}
sinks:
  cache: { kind: redis, url: "${redis.url}" }
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:
  settings:
    from: { repository: config, files: [ "settings/base.yaml", "settings/{env}.yaml?" ] }
    environments: { branches: { main: production } }
    schema: { file: schemas/settings.cue, definition: "#Settings" }
    to:
      - { sink: cache, place: "app:{env}" }
      - { sink: files, place: "{dir}/files/{env}.env" }
`.replaceAll('{dir}/files/{env}', '{dir}/files/{env}'),
    });
  });
  afterAll(async () => {
    await stack?.close();
    client?.disconnect();
    await redis?.stop();
  });

  it('is validated, written to both, and read back', async () => {
    const outcome = await stack.push({
      'schemas/settings.cue': '#Settings: { pool: { size: int & <=100 }, name: string }\n',
      'settings/base.yaml': 'pool: { size: 5 }\nname: base\n',
      'settings/production.yaml': 'name: "pro duction"\n',
    });
    expect(outcome).toMatchObject({ status: 'Synced', problems: [] });
    expect(await client.hgetall('app:production')).toEqual({ 'pool.size': '5', name: 'pro duction' });
    expect(await readFile(join(stack.directory, 'files/production.env'), 'utf8')).toContain('POOL_SIZE=');
  });
});
