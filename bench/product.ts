import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { freePort } from '../test/servers/free-port.ts';
import { startRedis, type RedisServer } from '../test/servers/redis.ts';
import { startTemporal, type TemporalServer } from '../test/servers/temporal.ts';

/** The product as it runs in earnest: api, worker, Temporal and Redis are processes of their own. */
export interface Product {
  readonly client: Client;
  /** Of Temporal. */
  readonly address: string;
  readonly redis: RedisServer;
  readonly taskQueue: string;
  readonly directory: string;
  /** Path of the remote, a bare repository. */
  readonly bare: string;
  readonly repositoryUrl: string;
  readonly processes: Readonly<Record<'api' | 'worker', number>>;
  /** Of the worker's metrics. */
  readonly metricsUrl: string;
  git(...args: readonly string[]): string;
  /** Moves a branch of the remote to a commit that was made before, which is all that a push does. */
  point(branch: string, commit: string): void;
  /** Posts the signed webhook of a push and gives the status of the answer. */
  post(tenant: string, commit: string, branch?: string): Promise<number>;
  stop(): Promise<void>;
}

export interface ProductOptions {
  /** Credentials that the bundle names. */
  readonly env?: Readonly<Record<string, string>>;
  /** YAML of more settings of the bundle, as a line in braces takes it. */
  readonly settings?: string;
  /** Another script than the worker's. */
  readonly worker?: string;
}

const SECRET = 'bench';

/** `tenants` gives the YAML below `tenants:`. */
export async function startProduct(
  tenants: (place: { redis: string; repository: string; directory: string }) => string,
  options: ProductOptions = {},
): Promise<Product> {
  const directory = mkdtempSync(join(tmpdir(), 'vartrack-bench-'));
  const bare = join(directory, 'config.git');
  const work = join(directory, 'work');
  execFileSync('git', ['init', '-q', '--bare', '-b', 'main', bare]);
  execFileSync('git', ['clone', '-q', bare, work], { stdio: 'ignore' });
  mkdirSync(join(directory, 'files'));
  const [redis, temporal, apiPort, apiMetrics, workerMetrics] = await Promise.all([startRedis(), startTemporal(), freePort(), freePort(), freePort()]);
  const repositoryUrl = `file://${bare}`;
  const yaml = tenants({ redis: redis.url, repository: repositoryUrl, directory });
  writeFileSync(
    join(directory, 'vartrack.yaml'),
    `apiVersion: vartrack.dev/v1\nsettings: { ${['allowFileRepositories: true', ...(options.settings ? [options.settings] : [])].join(', ')} }\ntenants:\n${yaml}`,
  );
  const taskQueue = 'bench';
  const env = {
    ...process.env,
    ...options.env,
    TEMPORAL_ADDRESS: temporal.address,
    VARTRACK_BUNDLE: join(directory, 'vartrack.yaml'),
    VARTRACK_CACHE_DIR: join(directory, 'cache'),
    VARTRACK_TASK_QUEUE: taskQueue,
    VARTRACK_API_HOST: '127.0.0.1',
    VARTRACK_API_PORT: String(apiPort),
    VARTRACK_WEBHOOKS_PER_MINUTE: '1000000',
    WEBHOOK_SECRET: SECRET,
    LOG_LEVEL: 'error',
  };
  const api = start('api/main.ts', { ...env, VARTRACK_METRICS_PORT: String(apiMetrics) });
  const worker = start(options.worker ?? 'worker/main.ts', { ...env, VARTRACK_METRICS_PORT: String(workerMetrics) });
  const url = `http://127.0.0.1:${apiPort}`;
  await until(async () => (await fetch(`${url}/readyz`)).ok, 300_000);
  const connection = await Connection.connect({ address: temporal.address });
  const git = (...args: readonly string[]): string =>
    execFileSync('git', ['-C', work, '-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', ...args], { encoding: 'utf8' }).trim();
  return {
    client: new Client({ connection }),
    address: temporal.address,
    redis,
    taskQueue,
    directory,
    bare,
    repositoryUrl,
    processes: { api: api.pid ?? 0, worker: worker.pid ?? 0 },
    metricsUrl: `http://127.0.0.1:${workerMetrics}/metrics`,
    git,
    point: (branch, commit) => void execFileSync('git', ['-C', bare, 'update-ref', `refs/heads/${branch}`, commit]),
    async post(tenant, commit, branch = 'main') {
      const body = JSON.stringify({ repository: repositoryUrl, ref: `refs/heads/${branch}`, commit });
      const signature = createHmac('sha256', SECRET).update(body).digest('hex');
      const headers = { 'content-type': 'application/json', 'x-signature': `sha256=${signature}`, 'x-delivery': randomUUID() };
      const response = await fetch(`${url}/webhooks/${tenant}/config`, { method: 'POST', headers, body });
      await response.arrayBuffer();
      return response.status;
    },
    async stop() {
      await Promise.all([end(api), end(worker)]);
      await connection.close();
      await stopServers(redis, temporal);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** With BENCH_CPU_PROFILE_DIR set, each process leaves its CPU profile there. */
function start(script: string, env: NodeJS.ProcessEnv): ChildProcess {
  const profile = process.env['BENCH_CPU_PROFILE_DIR'];
  const child = spawn(process.execPath, [...(profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]), script], {
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  // Also where the bench fails in the middle.
  process.once('exit', () => child.kill('SIGKILL'));
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

async function stopServers(redis: RedisServer, temporal: TemporalServer): Promise<void> {
  await Promise.all([redis.stop(), temporal.stop()]);
}

export async function until(holds: () => Promise<boolean>, deadlineMs = 60_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await holds().catch(() => false))) {
    if (performance.now() > deadline) throw new Error('it did not become true in time');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
