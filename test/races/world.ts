import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect } from 'vitest';
import { startSync } from '../../clients/start-sync.ts';
import { requestResults } from '../../clients/sync-result.ts';
import type { RefEvent } from '../../domain/routing.ts';
import type { RunOutcome } from '../../domain/status.ts';
import { driftWorkflowId, syncWorkflowId, type RequestResult, type SyncRequest } from '../../workflows/messages.ts';
import { CONFIG_REPOSITORY, type Files, openStack, type Stack } from '../product/stack.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { controlSinks, type SinkControl } from './controlled-sinks.ts';

/** The whole product with two workers, its streams, and hands on the order of things. */
export interface World {
  readonly stack: Stack;
  readonly server: RedisServer;
  readonly redis: Redis;
  readonly files: string;
  readonly control: SinkControl;
  /** Requests that were accepted and not forgotten by `reset`, with the run that each was handed to. */
  readonly requests: AcceptedRequest[];
  /** Delivers the webhook of a push, as the forge would. */
  webhook(ref: RefEvent, commit: string, delivery?: string): Promise<AcceptedRequest>;
  /** Asks for a run, as a person would. */
  ask(ref: RefEvent, request?: Partial<SyncRequest>): Promise<AcceptedRequest>;
  outcomeOf(request: AcceptedRequest): Promise<RunOutcome>;
  resultsOf(request: AcceptedRequest): Promise<readonly RequestResult[]>;
  /** Nothing works any more, in any stream, nor at the tenant's watch. */
  idle(): Promise<void>;
  /** Everything that an unneeded write would change. */
  traces(): Promise<unknown>;
  /** An empty repository's places: nothing in any sink, no request, no trap. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

export interface AcceptedRequest {
  readonly id: string;
  readonly stream: string;
  readonly workflowId: string;
  readonly runId: string;
  /** The commit that a heal is to put back. */
  readonly heals?: string;
}

/** Two streams feed production (a branch and its tags), one feeds staging; each rule writes to Redis and to a file. */
export const RULES = `
  settings:
    from: { repository: config, files: [ "settings.yaml" ] }
    environments: { branches: { main: production, develop: staging }, tags: { "v*": production } }
    schema: none
    to:
      - { sink: cache, place: "app:{env}" }
      - { sink: files, place: "{dir}/files/{env}.env", validate: "test ! -e {dir}/refuse" }
    timeout: 20s
    drift: { mode: off }
  flags:
    from: { repository: config, files: [ "flags.yaml" ] }
    environments: { branches: { main: production, develop: staging }, tags: { "v*": production } }
    schema: none
    onFailure: continue
    to: [ { sink: cache, place: "flags:{env}:", layout: keys } ]
    timeout: 20s
    drift: { mode: off }`;

export const MAIN: RefEvent = { kind: 'branch', name: 'main' };
export const DEVELOP: RefEvent = { kind: 'branch', name: 'develop' };
export const STREAMS = ['main', 'develop', 'tags:v*'];

export async function openWorld(rules = RULES, poll = 'off'): Promise<World> {
  const control = controlSinks();
  const server = await startRedis();
  const redis = new Redis(server.url);
  const tenant = `${CONFIG_REPOSITORY.replace('poll: off', `poll: ${poll}`)}
sinks:
  cache: { kind: redis, url: "${server.url}" }
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:${rules}`;
  const env = { VARTRACK_WEBHOOKS_PER_MINUTE: '1000000' };
  const stack = await openStack({ tenant, env, definitions: control.definitions, workers: 2 });
  const files = join(stack.directory, 'files');
  const { client } = stack.temporal;
  const requests: AcceptedRequest[] = [];
  const handleOf = (request: AcceptedRequest) => client.workflow.getHandle(request.workflowId, request.runId);

  function accepted(request: AcceptedRequest): AcceptedRequest {
    requests.push(request);
    return request;
  }

  const world: World = {
    stack,
    server,
    redis,
    files,
    control,
    requests,
    async webhook(ref, commit, id = randomUUID()) {
      const name = ref.kind === 'branch' ? `refs/heads/${ref.name}` : `refs/tags/${ref.kind === 'tag' ? ref.name : ''}`;
      const answer = await stack.post({ ref: name, commit, by: 'ann' }, { delivery: id });
      if (answer.status === 200) return requests.find((request) => request.id === id) ?? fail(answer);
      if (answer.status !== 202) return fail(answer);
      const { workflowId, runId, stream } = answer.body as unknown as AcceptedRequest;
      return accepted({ id, stream, workflowId, runId });
    },
    async ask(ref, request = {}) {
      const whole: SyncRequest = { id: randomUUID(), trigger: 'manual', ref, by: 'bob', ...request };
      const stream = ref.kind === 'branch' ? ref.name : 'tags:v*';
      const taskQueue = `test-${stack.tenant}`;
      const started = await startSync(client, { tenant: stack.tenant, repository: 'config', stream }, whole, { taskQueue });
      return accepted({ id: whole.id, stream, ...started, ...(whole.only && whole.commit !== undefined && { heals: whole.commit }) });
    },
    async outcomeOf(request) {
      const results = await world.resultsOf(request);
      const found = results.find(({ id }) => id === request.id);
      if (!found) throw new Error(`the run ended without a word about ${JSON.stringify(request)}: ${JSON.stringify(results)}`);
      return found.outcome;
    },
    resultsOf: async (request) => (await requestResults(handleOf(request))).requests,
    async idle() {
      const streams = STREAMS.map((stream) => syncWorkflowId(stack.tenant, 'config', stream));
      // The watch first: what it starts is there when it is done.
      const busyOnes = async () => [await busy(driftWorkflowId(stack.tenant)), ...(await Promise.all(streams.map(busy)))].filter((id) => id !== null);
      await expect.poll(busyOnes, { timeout: 90_000 }).toEqual([]);
    },
    traces: async () => ({ writes: await writeCommands(redis), keys: (await redis.keys('*')).toSorted(), files: await snapshotOf(files) }),
    async reset() {
      control.reset();
      requests.length = 0;
      await redis.flushall();
      await rm(join(stack.directory, 'refuse'), { force: true });
      for (const name of await readdir(files)) await rm(join(files, name), { recursive: true });
      await mkdir(files, { recursive: true });
    },
    async close() {
      await stack.close();
      redis.disconnect();
      await server.stop();
    },
  };

  async function busy(id: string): Promise<string | null> {
    const isWatch = id.startsWith('drift/');
    try {
      const { status, raw } = await client.workflow.getHandle(id).describe();
      const works = status.name === 'RUNNING' && (!isWatch || raw.pendingActivities?.length || raw.pendingWorkflowTask);
      return works ? id : null;
    } catch {
      return null;
    }
  }

  return world;
}

function fail(answer: unknown): never {
  throw new Error(`the webhook was answered ${JSON.stringify(answer)}`);
}

/** Files of a commit whose every value is the given word. */
export function filesOf(word: string, keys: readonly string[] = ['a', 'b']): Files {
  const yaml = `${keys.map((key) => `${key}: ${word}`).join('\n')}\n`;
  return { 'settings.yaml': yaml, 'flags.yaml': yaml };
}

/** Where the files say one word everywhere, so must the places. */
export async function expectEverywhere(world: World, environment: string, word: string, keys: readonly string[] = ['a', 'b']): Promise<void> {
  const all = Object.fromEntries(keys.map((key) => [key, word]));
  expect(await world.redis.hgetall(`app:${environment}`)).toEqual(all);
  const file = keys.map((key) => `${key.toUpperCase()}=${word}`).join('\n');
  expect((await readFile(join(world.files, `${environment}.env`), 'utf8')).trimEnd()).toBe(file);
  expect(await world.redis.mget(keys.map((key) => `flags:${environment}:${key}`))).toEqual(keys.map(() => word));
}

async function writeCommands(client: Redis): Promise<number> {
  const stats = await client.info('commandstats');
  const calls = stats.matchAll(/cmdstat_(?:hset|hdel|set|del|eval|evalsha|fcall|unlink|rename):calls=(\d+)/g);
  return [...calls].reduce((sum, [, count]) => sum + Number(count), 0);
}

async function snapshotOf(directory: string): Promise<readonly unknown[]> {
  const names = (await readdir(directory)).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const { mtimeMs, ino, size } = await stat(join(directory, name));
      return [name, mtimeMs, ino, size];
    }),
  );
}
