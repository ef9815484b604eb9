import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pLimit from 'p-limit';
import { requestResults } from '../../clients/sync-result.ts';
import { driftWorkflowId, syncWorkflowId } from '../../workflows/messages.ts';
import { makeCommits } from '../make-commits.ts';
import { childrenOf, processorTimeOf, residentOf, serverNamed } from '../processes.ts';
import { startProduct, until, type Product } from '../product.ts';
import { table } from '../statistics.ts';
import { readMetrics } from './worker-metrics.ts';

export interface IdleOptions {
  /** Numbers of tenants, measured one after the other. */
  readonly sizes: readonly number[];
  /** Of each tenant. */
  readonly targets: number;
  readonly intervalSeconds: number;
  readonly seconds: number;
  readonly repositories: 'own' | 'shared';
  readonly sink: 'redis' | 'files';
  /** Whether the sinks tell of changes. */
  readonly told: boolean;
}

interface Measured {
  readonly tenants: number;
  readonly row: Record<string, string>;
  readonly workerCores: number;
  readonly temporalCores: number;
  readonly workerBytes: number;
  readonly temporalBytes: number;
}

const RULES = 3;
const KEYS = 10;
const SAMPLES = 20;

/** What tenants cost in which nothing happens: processor time, memory and history, at several numbers of them, and the slope between. */
export async function measureIdle(options: IdleOptions): Promise<void> {
  const { targets, intervalSeconds, seconds, repositories, sink, told } = options;
  const all: Measured[] = [];
  for (const size of options.sizes) {
    all.push(await measureSize(size, options));
    console.log(JSON.stringify(all.at(-1)?.row));
  }
  const how = `${targets} targets (${sink}) each, every ${intervalSeconds} s, ${repositories} repositories, sinks that ${told ? 'tell' : 'do not tell'} of changes`;
  console.log(`\nidle tenants with ${how}; ${seconds} s each\n\n${table(all.map(({ row }) => row))}\n`);
  console.log(table(all.slice(1).map((large, index) => slope(all[index] ?? large, large))));
}

async function measureSize(tenants: number, options: IdleOptions): Promise<Measured> {
  const names = Array.from({ length: tenants }, (_, n) => `t${n}`);
  const began = performance.now();
  const product = await startProduct((places) => names.map((name) => tenantYaml(name, places, options)).join(''), {
    ...(!options.told && { worker: 'bench/drift/untold-worker.ts' }),
  });
  try {
    if (options.repositories === 'own') {
      mkdirSync(join(product.directory, 'repositories'));
      for (const name of names) symlinkSync(product.bare, join(product.directory, 'repositories', `${name}.git`));
    }
    await applyEverywhere(product, names, options);
    const settled = performance.now() - began;
    await later(options.intervalSeconds * 1_500);
    return { tenants, ...(await observe(product, names, options, settled)) };
  } finally {
    await product.stop();
  }
}

async function applyEverywhere(product: Product, names: readonly string[], { targets, sink, intervalSeconds }: IdleOptions): Promise<void> {
  const settings = Array.from({ length: KEYS }, (_, n) => `key${n}: ${n}\n`).join('');
  const [commit = ''] = makeCommits(product.bare, 'main', [{ 'settings.yaml': settings, 'schema.cue': '[string]: int\n' }]);
  const { workflow } = product.client;
  // More at the same time would only stand in each other's way.
  const limit = pLimit(8);
  const apply = async (name: string): Promise<void> => {
    const status = await product.post(name, commit);
    if (status !== 202) throw new Error(`the webhook was answered ${status}`);
    await requestResults(workflow.getHandle(syncWorkflowId(name, 'config', 'main')));
  };
  const applied = await Promise.allSettled(names.map((name) => limit(() => apply(name))));
  // The polls of the watch find them.
  const lost = applied.filter(({ status }) => status === 'rejected');
  if (lost.length > 0) console.error(`${lost.length} of ${names.length} first pushes were lost`, lost[0]);
  const running = 'ExecutionStatus = "Running"';
  const deadlineMs = 600_000 + names.length * 1_000;
  if (sink === 'redis') {
    const redis = new Redis(product.redis.url);
    // Values and ledger of each target.
    await until(async () => (await redis.dbsize()) >= names.length * targets * 2, deadlineMs);
    redis.disconnect();
  }
  await until(async () => (await workflow.count(`WorkflowType = "syncWorkflow" AND ${running}`)).count === 0, deadlineMs);
  const isWell = async (): Promise<boolean> =>
    (await workflow.count(`WorkflowType = "driftWatchWorkflow" AND ${running} AND DriftStatus = "InSync"`)).count === names.length;
  await until(isWell, 60_000 + intervalSeconds * 3_000).catch((error: unknown) => console.error('not all watches found everything well', error));
}

async function observe(product: Product, names: readonly string[], options: IdleOptions, settledMs: number): Promise<Omit<Measured, 'tenants'>> {
  const { worker } = product.processes;
  const temporal = serverNamed('temporal');
  const redis = serverNamed('redis-server');
  const look = async () => ({
    at: performance.now(),
    worker: processorTimeOf(worker),
    temporal: processorTimeOf(temporal).own,
    redis: processorTimeOf(redis).own,
    metrics: await readMetrics(product.metricsUrl),
    history: await historyOf(product, names.slice(0, SAMPLES)),
  });
  const before = await look();
  await later(options.seconds * 1_000);
  const after = await look();

  const seconds = (after.at - before.at) / 1_000;
  const count = (name: string, labels?: RegExp): number => after.metrics(name, labels) - before.metrics(name, labels);
  const mean = (name: string, labels?: RegExp): string => (count(`${name}_sum`, labels) / count(`${name}_count`, labels)).toFixed(3);
  const workerCores = (after.worker.own - before.worker.own + after.worker.below - before.worker.below) / seconds;
  const temporalCores = (after.temporal - before.temporal) / seconds;
  const checks = count('vartrack_check_duration_count') + count('vartrack_check_duration_seconds_count');
  const workerBytes = residentOf(worker);
  const temporalBytes = residentOf(temporal);
  const row = {
    tenants: String(names.length),
    'all applied after s': (settledMs / 1_000).toFixed(0),
    'checks/s': (checks / seconds).toFixed(2),
    'of those due': `${((checks / seconds / (names.length / options.intervalSeconds)) * 100).toFixed(0)} %`,
    'targets/s': (count('vartrack_checks_total') / seconds).toFixed(1),
    'not fine': count('vartrack_checks_total', /status="(?!InSync)/).toFixed(0),
    'worker, cores': ((after.worker.own - before.worker.own) / seconds).toFixed(3),
    'git, cores': ((after.worker.below - before.worker.below) / seconds).toFixed(3),
    'Temporal, cores': temporalCores.toFixed(3),
    'Redis, cores': ((after.redis - before.redis) / seconds).toFixed(3),
    'ms of a core/check': (((workerCores + temporalCores) * seconds * 1_000) / checks).toFixed(1),
    'worker MiB': mebibytes(workerBytes),
    'git MiB': mebibytes(childrenOf(worker).reduce((sum, pid) => sum + residentOf(pid), 0)),
    'Temporal MiB': mebibytes(temporalBytes),
    'check, mean ms': mean('vartrack_check_duration', /^/),
    'task waits, mean ms': mean('temporal_activity_schedule_to_start_latency'),
    'calls/s to Temporal': (count('temporal_request_total') / seconds).toFixed(0),
    'events/check': (after.history.events / Math.max(after.history.checks, 1)).toFixed(1),
    'history KiB': (after.history.bytes / SAMPLES / 1_024).toFixed(0),
  };
  return { row, workerCores, temporalCores, workerBytes, temporalBytes };
}

async function historyOf({ client }: Product, names: readonly string[]): Promise<{ readonly events: number; readonly bytes: number; readonly checks: number }> {
  const sum = { events: 0, bytes: 0, checks: 0 };
  for (const name of names) {
    const handle = client.workflow.getHandle(driftWorkflowId(name));
    const { historyLength, historySize = 0 } = await handle.describe();
    const { events = [] } = await handle.fetchHistory();
    sum.events += historyLength;
    sum.bytes += historySize;
    sum.checks += (events ?? []).filter(({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityType?.name === 'checkTenant').length;
  }
  return sum;
}

function slope(small: Measured, large: Measured): Record<string, string> {
  const more = large.tenants - small.tenants;
  const per = (of: (each: Measured) => number): number => (of(large) - of(small)) / more;
  return {
    'each tenant more': `${small.tenants} to ${large.tenants}`,
    'worker and git, ‰ of a core': (per(({ workerCores }) => workerCores) * 1_000).toFixed(2),
    'Temporal, ‰ of a core': (per(({ temporalCores }) => temporalCores) * 1_000).toFixed(2),
    'worker KiB': (per(({ workerBytes }) => workerBytes) / 1_024).toFixed(0),
    'Temporal KiB': (per(({ temporalBytes }) => temporalBytes) / 1_024).toFixed(0),
  };
}

function tenantYaml(name: string, { redis, repository, directory }: { redis: string; repository: string; directory: string }, options: IdleOptions): string {
  const url = options.repositories === 'own' ? `file://${directory}/repositories/${name}.git` : repository;
  const place = (n: number): string => (options.sink === 'redis' ? `${name}:${n}` : `${directory}/files/${name}-${n}.json`);
  const rule = (number: number): string => {
    const own = Array.from({ length: options.targets }, (_, n) => n).filter((n) => n % RULES === number);
    if (own.length === 0) return '';
    const format = options.sink === 'files' && { format: 'json' };
    return `      rule${number}:
        from: { repository: config, files: [ "settings.yaml" ] }
        environments: { branches: { main: production } }
        schema: { file: schema.cue }
        to: ${JSON.stringify(own.map((n) => ({ sink: 'sink', place: place(n), ...format })))}
        drift: { interval: ${options.intervalSeconds}s }
`;
  };
  const sink = options.sink === 'redis' ? { kind: 'redis', url: redis } : { kind: 'linux', transport: 'local', root: `${directory}/files` };
  return `  ${name}:
    repositories: { config: { provider: generic, url: "${url}", webhookSecret: { env: WEBHOOK_SECRET }, poll: ${options.intervalSeconds}s } }
    sinks: { sink: ${JSON.stringify(sink)} }
    rules:
${Array.from({ length: RULES }, (_, number) => rule(number)).join('')}`;
}

function mebibytes(bytes: number): string {
  return (bytes / 1_024 ** 2).toFixed(0);
}

async function later(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
