import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect } from 'vitest';
import type { RunOutcome } from '../../domain/status.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { openStack, type Files, type Stack, type StackOptions } from '../product/stack.ts';

/** The whole product in this process, under attack, with a look at all that it could have written. */
export interface HostileStack extends Stack {
  readonly redis: Redis;
  /** Pushes and expects that it is refused, that the problems read as told, and that nothing is written. */
  refused(files: Files, problem: RegExp, branch?: string): Promise<RunOutcome>;
  /** Of everything that any sink holds. */
  written(): Promise<unknown>;
  /** Expects that a good push is written now, and that the process did not grow beyond what such a test may need. */
  survived(): Promise<void>;
}

export interface HostileOptions extends Omit<StackOptions, 'tenant'> {
  /** More of `repositories:`, and all of `rules:`, as YAML. */
  readonly repositories?: string;
  readonly rules: string;
}

/** One rule that what survives an attack is tried with, beside the ones under attack. */
const PROOF = `
  proof:
    from: { repository: config, files: [ "proof.json" ] }
    environments: { branches: { proof: proof } }
    schema: { file: proof.cue }
    to: [ { sink: cache, place: "proof" }, { sink: files, place: "{dir}/files/proof.json", format: json } ]`;
const MAX_GROWTH_BYTES = 700 * 1024 ** 2;

export async function openHostileStack({ repositories = '', rules, ...options }: HostileOptions): Promise<HostileStack> {
  const server: RedisServer = await startRedis();
  const redis = new Redis(server.url);
  const stack = await openStack({
    ...options,
    tenant: `
repositories:
  config: { provider: generic, url: "{repository}", webhookSecret: { env: STACK_WEBHOOK_SECRET }, poll: off }${repositories}
sinks:
  cache: { kind: redis, url: "${server.url}" }
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:${PROOF}${rules}`,
  });
  const rssBefore = process.memoryUsage.rss();
  let proofs = 0;

  async function written(): Promise<unknown> {
    const keys = (await redis.keys('*')).toSorted();
    const hashes = await Promise.all(keys.map(async (key) => ((await redis.type(key)) === 'hash' ? redis.hgetall(key) : redis.get(key))));
    return { redis: Object.fromEntries(keys.map((key, index) => [key, hashes[index]])), files: (await readdir(join(stack.directory, 'files'))).toSorted() };
  }

  return {
    ...stack,
    redis,
    written,
    async refused(files, problem, branch) {
      const before = await written();
      const outcome = await stack.push(files, branch);
      expect(outcome.problems.join('\n') || outcome.summary).toMatch(problem);
      expect(outcome.status).toBe('Rejected');
      expect(await written()).toEqual(before);
      return outcome;
    },
    async survived() {
      const count = ++proofs;
      expect(await stack.push({ 'proof.cue': 'count: int', 'proof.json': `{"count": ${count}}` }, 'proof')).toMatchObject({ status: 'Synced', problems: [] });
      expect(await redis.hget('proof', 'count')).toBe(String(count));
      expect((await fetch(`${stack.api.url}/readyz`)).status).toBe(200);
      expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(MAX_GROWTH_BYTES);
    },
    async close() {
      await stack.close();
      redis.disconnect();
      await server.stop();
    },
  };
}
