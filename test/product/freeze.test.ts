import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { CONFIG_REPOSITORY, openStack, type Stack } from './stack.ts';

/** Open since a few minutes, and for a while. */
function openWindow(reason: string): string {
  const began = new Date(Date.now() - 5 * 60_000);
  const from = `${began.getUTCMinutes()} ${began.getUTCHours()} ${began.getUTCDate()} ${began.getUTCMonth() + 1} *`;
  return `freeze: [ { from: "${from}", for: 6h, timeZone: UTC, reason: ${reason} } ]`;
}

describeWith(['temporal', 'redis'], 'a freeze', () => {
  let redis: RedisServer;
  let stack: Stack;
  let client: Redis;
  const bundle = ({ tenant = '', rule = '' }: { readonly tenant?: string; readonly rule?: string } = {}): string => `
${CONFIG_REPOSITORY}
${tenant}
sinks:
  cache: { kind: redis, url: "${redis.url}" }
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:
  app:
    from: { repository: config, files: [ "app.yaml" ] }
    environments: { branches: { main: production } }
    schema: none
    to: [ { sink: cache, place: "app:{env}" }, { sink: files, place: "{dir}/files/app.json", format: json } ]
    drift: { mode: off }
    ${rule}
  limits:
    from: { repository: config, files: [ "limits.yaml" ] }
    environments: { branches: { main: production } }
    schema: none
    to: [ { sink: files, place: "{dir}/files/limits.json", format: json } ]
    drift: { mode: off }
`;
  beforeAll(async () => {
    redis = await startRedis();
    client = new Redis(redis.url);
    // It goes away in one of the tests.
    client.on('error', () => undefined);
    stack = await openStack({ tenant: bundle() });
    await stack.push({ 'app.yaml': 'n: 1\n', 'limits.yaml': 'n: 1\n' });
  });
  afterAll(async () => {
    await stack?.close();
    client?.disconnect();
    await redis?.stop();
  });

  const file = async (name: string): Promise<string> => readFile(join(stack.directory, `files/${name}.json`), 'utf8');
  const values = async (): Promise<unknown> => [await client.hget('app:production', 'n'), JSON.parse(await file('app')), JSON.parse(await file('limits'))];

  it('of one rule parks a whole push that would write to it, and no push that would not', async () => {
    await stack.reloadBundle(bundle({ rule: openWindow('audit') }));
    expect(await stack.push({ 'limits.yaml': 'n: 2\n' })).toMatchObject({ status: 'Synced' });
    const outcome = await stack.push({ 'app.yaml': 'n: 3\n', 'limits.yaml': 'n: 3\n' });
    expect(outcome).toMatchObject({ status: 'Parked', summary: expect.stringMatching(/^rule app is frozen until .*: audit; .*--force/) as string });
    expect(await values()).toEqual(['1', { n: 1 }, { n: 2 }]);
  });

  it('of a tenant parks pushes and heals, and lets a person’s force through, with who it was', async () => {
    await stack.reloadBundle(bundle({ tenant: openWindow('weekend') }));
    const { commit = '' } = await stack.push({ 'app.yaml': 'n: 4\n', 'limits.yaml': 'n: 4\n' });
    expect(await stack.sync()).toMatchObject({ status: 'Parked', summary: expect.stringMatching(/^frozen until .*: weekend; /) as string });
    expect(await stack.sync({ trigger: 'heal', only: ['app/production/0'], commit })).toMatchObject({ status: 'Parked' });
    expect(await values()).toEqual(['1', { n: 1 }, { n: 2 }]);

    const forced = await stack.sync({ force: true, by: 'ann' });
    expect(forced).toMatchObject({
      status: 'Synced',
      summary: expect.stringMatching(/written and read back; forced by ann while frozen until .*: weekend$/) as string,
    });
    expect(await values()).toEqual(['4', { n: 4 }, { n: 4 }]);
  });

  it('that begins while a push is retried stops it, and what was written is put back', async () => {
    await stack.reloadBundle(bundle());
    await redis.kill();
    const pushed = stack.push({ 'app.yaml': 'n: 5\n' });
    await expect.poll(async () => JSON.parse(await file('app')) as unknown, { timeout: 20_000 }).toEqual({ n: 5 });
    await stack.reloadBundle(bundle({ tenant: openWindow('weekend') }));
    expect(await pushed).toMatchObject({ status: 'Parked', summary: expect.stringMatching(/frozen until .*: weekend/) as string });
    expect(JSON.parse(await file('app'))).toEqual({ n: 4 });
  });
});
