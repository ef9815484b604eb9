import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { syncWorkflowId } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { CONFIG_REPOSITORY, openStack, type Stack } from './stack.ts';

const MOST_BYTES_OF_A_PAYLOAD = 256 * 1024;

describeWith(['temporal', 'redis'], 'limits', () => {
  let redis: RedisServer;
  let client: Redis;
  let stack: Stack;
  beforeAll(async () => {
    redis = await startRedis();
    client = new Redis(redis.url);
  });
  afterAll(async () => {
    client?.disconnect();
    await redis?.stop();
  });
  afterEach(async () => {
    await stack?.close();
    await client.flushall();
  });

  it('two hundred destinations are one push, and no payload in the history is large', async () => {
    const destinations = Array.from({ length: 200 }, (_, n) => `      - { sink: cache, place: "place-${n}:{env}" }`).join('\n');
    await open(`    to:\n${destinations}`);
    const outcome = await stack.push({ 'a.yaml': Array.from({ length: 20 }, (_, n) => `key${n}: ${n}\n`).join('') });
    expect(outcome).toMatchObject({ status: 'Synced', summary: '200 of 200 targets written and read back' });
    expect(await client.hlen('place-199:production')).toBe(20);
    expect(await largestPayload()).toBeLessThan(MOST_BYTES_OF_A_PAYLOAD);
  }, 120_000);

  it('ten thousand keys are one push, and neither they nor their names fill the history', async () => {
    await open('    to: [ { sink: cache, place: "app:{env}" }, { sink: files, place: "{dir}/files/{env}.json", format: json } ]');
    const keys = (value: number): string => Array.from({ length: 10_000 }, (_, n) => `key${n}: ${n === 5 ? value : n}\n`).join('');
    expect(await stack.push({ 'a.yaml': keys(1) })).toMatchObject({ status: 'Synced' });
    expect(await client.hlen('app:production')).toBe(10_000);
    expect(await largestPayload()).toBeLessThan(16 * 1024);
    const outcome = await stack.push({ 'a.yaml': keys(2) });
    expect(outcome.targets.map(({ changes }) => changes)).toEqual([
      { puts: 1, deletes: 0, adopted: 0, keys: ['key5'] },
      { puts: 1, deletes: 0, adopted: 0, keys: ['key5'] },
    ]);
  }, 120_000);

  it('ten thousand mistakes are told in a bounded number of lines', async () => {
    await open('    to: [ { sink: cache, place: "app:{env}" } ]', 'schema: { file: a.cue }');
    const wrong = Array.from({ length: 5_000 }, (_, n) => `key${n}: text\n`).join('');
    const outcome = await stack.push({ 'a.yaml': wrong, 'a.cue': '[string]: int\n' });
    expect(outcome.status).toBe('Rejected');
    expect(outcome.problems.length).toBeLessThanOrEqual(51);
    expect(outcome.problems.at(-1)).toMatch(/^and \d+ more$/);
    expect(await largestPayload()).toBeLessThan(MOST_BYTES_OF_A_PAYLOAD);
  }, 120_000);

  it('what a sink cannot take is refused before the write, with the key, its line and the sink named', async () => {
    await open('    to: [ { sink: cache, place: "app:{env}" }, { sink: files, place: "{dir}/files/{env}.env" } ]');
    const outcome = await stack.push({
      'a.yaml':
        'fine: 1\na.b: 1\na_b: 2\n"9lives": x\nhuge: "PLACEHOLDER"\n'.replace('PLACEHOLDER', 'x'.repeat(900_000)) + 'more: "' + 'y'.repeat(140_000) + '"\n',
    });
    expect(outcome.status).toBe('Rejected');
    const text = outcome.problems.join('\n');
    expect(text).toMatch(/rule settings: a\.yaml:3:6 a_b: files .*\.env: it becomes the sink key A_B, as does a\\?\.b/);
    expect(text).toMatch(/a\.yaml:4:\d+ 9lives: files .*\.env/);
    expect(await client.keys('*')).toEqual([]);
  }, 60_000);

  async function open(to: string, schema = 'schema: none'): Promise<void> {
    stack = await openStack({
      tenant: `${CONFIG_REPOSITORY}
sinks:
  cache: { kind: redis, url: "${redis.url}" }
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:
  settings:
    from: { repository: config, files: [ "a.yaml" ] }
    environments: { branches: { main: production } }
    ${schema}
${to}
`,
    });
  }

  /** Bytes of the largest payload in the history of the last run. */
  async function largestPayload(): Promise<number> {
    const { events } = await stack.temporal.client.workflow.getHandle(syncWorkflowId(stack.tenant, 'config', 'main')).fetchHistory();
    return Math.max(...payloadSizes(events));
  }
});

function payloadSizes(part: unknown): number[] {
  if (part instanceof Uint8Array) return [part.length];
  if (typeof part !== 'object' || part === null) return [];
  return Object.values(part).flatMap(payloadSizes);
}
