// From the webhook's POST to the value in Redis, and to the end of the run that read it back, beside the floor in the same run:
//   npx node bench/sync.ts [samples]
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { Redis } from 'ioredis';
import { createCue } from '../clients/cue/cue.ts';
import { parseDocument } from '../clients/formats/parse-document.ts';
import { gitEnvironment } from '../clients/git/environment.ts';
import { createGitRunner } from '../clients/git/run-git.ts';
import { requestResults } from '../clients/sync-result.ts';
import { syncWorkflowId } from '../workflows/messages.ts';
import { startProduct, type Product } from './product.ts';
import { milliseconds, percentile, table } from './statistics.ts';

const samples = Number(process.argv[2] ?? 60);
const WARM_UP = 10;
const SIZES = [4, 100, 1_000, 10_000];
const SCHEMA = 'pool: { [string]: int & <1000000 }\nversion: int\n';

const product = await startProduct(({ redis, repository }) => SIZES.map((size) => tenant(`t${size}`, size, redis, repository)).join(''));
const client = new Redis(product.redis.url);
const rows: Record<string, string>[] = [];
try {
  for (const size of SIZES) rows.push(await measure(product, size, size > 1_000 ? Math.ceil(samples / 4) : samples));
  rows.push(await emptyWorkflow(product));
  for (const size of SIZES) rows.push(await bareDriver(size));
  rows.push(...(await bareFetch(product)));
  for (const size of SIZES) rows.push(await cueAlone(size));
  console.log(table(rows));
} finally {
  client.disconnect();
  await product.stop();
}

function tenant(name: string, size: number, redis: string, repository: string): string {
  return `  ${name}:
    repositories: { config: { provider: generic, url: "${repository}", webhookSecret: { env: WEBHOOK_SECRET }, poll: off } }
    sinks: { cache: { kind: redis, url: "${redis}" } }
    rules:
      settings:
        from: { repository: config, files: [ "settings.yaml" ] }
        environments: { branches: { keys-${size}: production } }
        schema: { file: schema.cue }
        to: [ { sink: cache, place: "${name}:{env}" } ]
`;
}

function settings(size: number, version: number): string {
  const keys = Array.from({ length: size - 1 }, (_, key) => `  key${key}: ${key}\n`).join('');
  return `version: ${version}\npool:\n${keys}`;
}

/** Every push changes one key of `size`; all of them are validated and read back. */
async function measure({ git, point, post, client: temporal, directory }: Product, size: number, count: number): Promise<Record<string, string>> {
  const branch = `keys-${size}`;
  const work = join(directory, 'work');
  mkdirSync(work, { recursive: true });
  git('checkout', '-q', '--orphan', branch);
  writeFileSync(join(work, 'schema.cue'), SCHEMA);
  const commits = Array.from({ length: count + WARM_UP }, (_, version) => {
    writeFileSync(join(work, 'settings.yaml'), settings(size, version));
    git('add', '-A');
    git('commit', '-q', '-m', String(version));
    return git('rev-parse', 'HEAD');
  });
  git('push', '-q', 'origin', `${branch}:refs/heads/made/${size}`);

  const visible: number[] = [];
  const verified: number[] = [];
  for (const [version, commit] of commits.entries()) {
    point(branch, commit);
    const began = performance.now();
    const status = await post(`t${size}`, commit, branch);
    if (status !== 202) throw new Error(`the webhook was answered ${status}`);
    // Not in a tight loop: that would take a core away from what is measured.
    while ((await client.hget(`t${size}:production`, 'version')) !== String(version)) await new Promise((resolve) => setTimeout(resolve, 1));
    const seen = performance.now();
    const { requests } = await requestResults(temporal.workflow.getHandle(syncWorkflowId(`t${size}`, 'config', branch)));
    if (requests.at(-1)?.outcome.status !== 'Synced') throw new Error(JSON.stringify(requests));
    if (version >= WARM_UP) {
      visible.push(seen - began);
      verified.push(performance.now() - began);
    }
  }
  return row(`${size} keys, one changed`, { visible, verified });
}

/** What Temporal alone costs here: signalWithStart of a workflow that does nothing, to its result. */
async function emptyWorkflow({ client: temporal, address }: Product): Promise<Record<string, string>> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const native = await NativeConnection.connect({ address });
  const taskQueue = 'empty';
  const workflowsPath = new URL('empty-workflow.ts', import.meta.url).pathname;
  const worker = await Worker.create({ connection: native, taskQueue, workflowsPath });
  const verified: number[] = [];
  await worker.runUntil(async () => {
    for (let sample = 0; sample < samples + WARM_UP; sample++) {
      const began = performance.now();
      const options = { taskQueue, workflowId: `empty-${randomUUID()}`, signal: 'push', signalArgs: [], args: [] };
      const handle = await temporal.workflow.signalWithStart('emptyWorkflow', options);
      await handle.result();
      if (sample >= WARM_UP) verified.push(performance.now() - began);
    }
  });
  await native.close();
  return row('floor: an empty workflow', { visible: [], verified });
}

/** What Redis alone costs: write all keys as one hash and read them back, by the same client library. */
async function bareDriver(size: number): Promise<Record<string, string>> {
  const entries = Object.fromEntries(Array.from({ length: size }, (_, key) => [`pool.key${key}`, String(key)]));
  const verified: number[] = [];
  for (let sample = 0; sample < samples + WARM_UP; sample++) {
    const began = performance.now();
    await client.hset('floor', entries);
    await client.hmget('floor', ...Object.keys(entries));
    if (sample >= WARM_UP) verified.push(performance.now() - began);
  }
  return row(`floor: bare driver, ${size} keys`, { visible: [], verified });
}

/** What `git fetch` alone costs, settings and all, started from a small process: once with one commit to bring, once more with nothing. */
async function bareFetch({ directory, git, point, repositoryUrl }: Product): Promise<Record<string, string>[]> {
  const runner = createGitRunner();
  const mirror = join(directory, 'floor.git');
  git('init', '-q', '--bare', mirror);
  const commits = git('rev-list', '--reverse', 'keys-4').split('\n');
  const fetch = async (): Promise<number> => {
    const began = performance.now();
    const args = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', repositoryUrl, '+refs/heads/floor:refs/floor'];
    const env = gitEnvironment(mirror, 'file', {}, {});
    const { code, stderr } = await runner.run({ args, env, timeoutMs: 60_000, maxOutputBytes: 1 << 20, lane: 'network', signal: undefined });
    if (code !== 0) throw new Error(stderr);
    return performance.now() - began;
  };
  const one: number[] = [];
  const nothing: number[] = [];
  for (const [index, commit] of commits.entries()) {
    point('floor', commit);
    const times = [await fetch(), await fetch()] as const;
    if (index < WARM_UP) continue;
    one.push(times[0]);
    nothing.push(times[1]);
  }
  await runner.close();
  return [row('floor: git fetch, one commit', { visible: [], verified: one }), row('floor: git fetch, nothing new', { visible: [], verified: nothing })];
}

/** What CUE alone costs for the same document. */
async function cueAlone(size: number): Promise<Record<string, string>> {
  const cue = createCue({ timeoutMs: 60_000 });
  const verified: number[] = [];
  const schema = { files: new Map([['schema.cue', SCHEMA]]), file: 'schema.cue' };
  const count = size > 1_000 ? Math.ceil(samples / 4) : samples;
  for (let version = 0; version < count + WARM_UP; version++) {
    const document = parseDocument(Buffer.from(settings(size, version)), 'settings.yaml');
    const began = performance.now();
    const { ok } = await cue.validate({ schema, document }, new AbortController().signal);
    if (!ok) throw new Error('the document is valid');
    if (version >= WARM_UP) verified.push(performance.now() - began);
  }
  await cue.close();
  return row(`floor: CUE, ${size} keys`, { visible: [], verified });
}

function row(what: string, { visible, verified }: { visible: number[]; verified: number[] }): Record<string, string> {
  const of = (values: number[], share: number): string => (values.length === 0 ? '' : milliseconds(percentile(values, share)));
  return {
    what,
    samples: String(verified.length),
    'visible p50 ms': of(visible, 0.5),
    'visible p95 ms': of(visible, 0.95),
    'end of run p50 ms': of(verified, 0.5),
    'end of run p95 ms': of(verified, 0.95),
  };
}
