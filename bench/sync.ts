// From the webhook's POST to the value in Redis, and to the end of the run that read it back, beside the floor in the same run:
//   npx node bench/sync.ts [samples]
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { Redis } from 'ioredis';
import { requestResults } from '../clients/sync-result.ts';
import { syncWorkflowId } from '../workflows/messages.ts';
import { startProduct, type Product } from './product.ts';
import { milliseconds, percentile, table } from './statistics.ts';

const samples = Number(process.argv[2] ?? 60);
const WARM_UP = 10;
const SIZES = [4, 100, 1_000, 10_000];

const product = await startProduct(({ redis, repository }) => SIZES.map((size) => tenant(`t${size}`, size, redis, repository)).join(''));
const client = new Redis(product.redis.url);
const rows: Record<string, string>[] = [];
try {
  for (const size of SIZES) rows.push(await measure(product, size, size > 1_000 ? Math.ceil(samples / 4) : samples));
  rows.push(await emptyWorkflow(product));
  for (const size of SIZES) rows.push(await bareDriver(size));
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

/** Every push changes one key of `size`; all of them are validated and read back. */
async function measure({ git, point, post, client: temporal, directory }: Product, size: number, count: number): Promise<Record<string, string>> {
  const branch = `keys-${size}`;
  const work = join(directory, 'work');
  mkdirSync(work, { recursive: true });
  git('checkout', '-q', '--orphan', branch);
  writeFileSync(join(work, 'schema.cue'), 'pool: { [string]: int & <1000000 }\nversion: int\n');
  const commits = Array.from({ length: count + WARM_UP }, (_, version) => {
    const keys = Array.from({ length: size - 1 }, (_unused, key) => `  key${key}: ${key}\n`).join('');
    writeFileSync(join(work, 'settings.yaml'), `version: ${version}\npool:\n${keys}`);
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
    while ((await client.hget(`t${size}:production`, 'version')) !== String(version)) await new Promise((resolve) => setImmediate(resolve));
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
