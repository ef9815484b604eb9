import { execFile } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { inject } from 'vitest';
import { startApi, type RunningApi } from '../../api/main.ts';
import { loadBundle } from '../../clients/bundle.ts';
import { createCredentials } from '../../clients/credentials.ts';
import { createLogger } from '../../clients/logger.ts';
import { startDriftWatches } from '../../clients/start-drift-watch.ts';
import { startSync } from '../../clients/start-sync.ts';
import { requestResults } from '../../clients/sync-result.ts';
import { connectTemporal, registerSearchAttributes, type Temporal } from '../../clients/temporal.ts';
import type { RunOutcome } from '../../domain/status.ts';
import { sinkDefinitions } from '../../sinks/registry.ts';
import type { SinkDefinition } from '../../sinks/sink.ts';
import { createWorker, createWorkerParts, type RunningWorker, type WorkerParts } from '../../worker/create-worker.ts';
import { syncWorkflowId, type SyncRequest, type SyncResult } from '../../workflows/messages.ts';
import { workflowBundleOf } from '../workflows/workflow-bundle.ts';

/**
 * The whole product in one process, on real Git, a real Temporal server, the real api and a real worker: only the sinks' servers are the test's.
 */
export interface Stack {
  readonly tenant: string;
  /** Everything of this stack is below it: the bundle, the repository, files that sinks write. */
  readonly directory: string;
  readonly api: RunningApi;
  readonly temporal: Temporal;
  readonly repository: TestRepository;
  /** Posts a signed webhook for a commit. */
  deliver(commit: string, options?: DeliveryOptions): Promise<Answer>;
  /** Posts any body of the generic provider, signed. */
  post(body: Readonly<Record<string, unknown>>, options?: Pick<DeliveryOptions, 'delivery' | 'secret'>): Promise<Answer>;
  /** Pushes files, delivers the webhook, and waits for how the request ended. */
  push(files: Files, branch?: string): Promise<RunOutcome>;
  /** What became of a request, once its run is over. */
  outcomeOf(stream: string, requestId: string): Promise<RunOutcome>;
  /** Asks for a run of the branch's head, as a person would. */
  sync(request?: Partial<SyncRequest>, stream?: string): Promise<RunOutcome>;
  reloadBundle(bundle: string): Promise<void>;
  /** The activities' own parts beside the worker's, for calling one alone; to be closed. */
  workerParts(): Promise<WorkerParts>;
  stopWorker(): Promise<void>;
  startWorker(): Promise<void>;
  /** Starts api and workers again with another VARTRACK_CODEC_KEY, as a deployment does. The stack has to be encrypted. */
  rekey(codecKey: string): Promise<void>;
  close(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export type Files = Readonly<Record<string, string | Uint8Array | null>>;

export interface DeliveryOptions {
  readonly branch?: string;
  readonly delivery?: string;
  readonly secret?: string;
}

/** The repository of a tenant that has one, as the bundle names it; `deliver` and `push` are of it. */
export const CONFIG_REPOSITORY = `repositories:
  config: { provider: generic, url: "{repository}", webhookSecret: { env: STACK_WEBHOOK_SECRET }, poll: off }`;

export interface StackOptions {
  /** The bundle's tenant below `tenants.<name>:`, as YAML; `settings` allow file repositories. `{dir}` is the stack's directory. */
  readonly tenant: string;
  /** More tenants by their whole names, each as `tenant` is. */
  readonly neighbours?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Another Temporal server than the one of all tests. */
  readonly temporal?: { readonly address: string; readonly namespace: string };
  /** More of the bundle's settings, as YAML in one line: `fingerprintKey: { env: KEY }`. */
  readonly settings?: string;
  readonly definitions?: Readonly<Record<string, SinkDefinition>>;
  readonly codecKey?: string;
  /** Workers on the one task queue, each with a cache and connections of its own; 1 unless given. */
  readonly workers?: number;
  /** Activities that a worker has room for. */
  readonly maxActivities?: number;
}

export interface TestRepository {
  readonly url: string;
  /** Commits on top of a branch (or of nothing) and gives the commit; null deletes a file. */
  commit(files: Files, branch?: string): Promise<string>;
  git(...args: readonly string[]): Promise<string>;
}

const SECRET = 'webhook-secret';
const run = promisify(execFile);
Runtime.install({ logger: new DefaultLogger('ERROR') });

export async function openStack(options: StackOptions): Promise<Stack> {
  const directory = await mkdtemp(join(tmpdir(), 'vartrack-stack-'));
  const tenant = `t-${randomUUID().slice(0, 8)}`;
  const taskQueue = `test-${tenant}`;
  await mkdir(join(directory, 'files'));
  const repository = await createRepository(join(directory, 'repository'));
  const bundlePath = join(directory, 'vartrack.yaml');
  await writeBundle(options.tenant);

  const { address, namespace } = options.temporal ?? inject('temporal');
  process.env['TEMPORAL_ADDRESS'] = address;
  process.env['TEMPORAL_NAMESPACE'] = namespace;
  let { codecKey } = options;
  const environment = () => ({
    ...options.env,
    STACK_WEBHOOK_SECRET: SECRET,
    VARTRACK_BUNDLE: bundlePath,
    VARTRACK_API_HOST: '127.0.0.1',
    VARTRACK_API_PORT: '0',
    VARTRACK_METRICS_PORT: '0',
    VARTRACK_TASK_QUEUE: taskQueue,
    ...(codecKey !== undefined && { VARTRACK_CODEC_KEY: codecKey }),
  });
  let temporal = await connectTemporal(codecKey);
  await registerSearchAttributes(temporal.connection, temporal.namespace);
  // The SDK refuses two workers of one task queue on one connection.
  const natives = await Promise.all(Array.from({ length: options.workers ?? 1 }, () => NativeConnection.connect({ address })));
  let api = await startApi(environment(), createLogger({ name: 'api', level: 'silent' }));
  const workflowBundle = await workflowBundleOf(codecKey === undefined ? 'plain' : 'encrypted');
  let bundle = await loadBundle(bundlePath, sinkDefinitions);
  const credentials = createCredentials({ env: environment(), baseDirectory: directory }, () => bundle);
  let workers: readonly RunningWorker[] = [];
  await startWorker();
  await startDriftWatches(temporal.client, [tenant], taskQueue);

  async function startWorker(): Promise<void> {
    const { maxActivities } = options;
    const given = { ...(codecKey !== undefined && { codecKey }), ...(maxActivities !== undefined && { maxActivities }) };
    workers = await Promise.all(
      natives.map((native, index) =>
        createWorker({ ...parts(), cacheDirectory: join(directory, index === 0 ? 'cache' : `cache${index}`), native, workflowBundle, ...given }),
      ),
    );
  }

  function parts() {
    return {
      temporal,
      bundle: () => bundle,
      definitions: options.definitions ?? sinkDefinitions,
      resolveCredential: credentials.resolve,
      secrets: credentials.secrets,
      cacheDirectory: join(directory, 'cache'),
      taskQueue,
    };
  }

  async function writeBundle(tenantYaml: string): Promise<void> {
    const tenants = Object.entries({ [tenant]: tenantYaml, ...options.neighbours }).map(([name, yaml]) => {
      const lines = yaml.replaceAll('{dir}', directory).replaceAll('{repository}', repository.url).trimEnd().split('\n');
      return `  ${name}:\n${lines.map((line) => `    ${line}`).join('\n')}\n`;
    });
    await writeFile(
      bundlePath,
      `apiVersion: vartrack.dev/v1\nsettings: { allowFileRepositories: true${options.settings === undefined ? '' : `, ${options.settings}`} }\ntenants:\n${tenants.join('')}`,
    );
  }

  const stack: Stack = {
    tenant,
    directory,
    get api() {
      return api;
    },
    get temporal() {
      return temporal;
    },
    repository,
    deliver: (commit, { branch = 'main', ...options } = {}) => stack.post({ ref: `refs/heads/${branch}`, commit, by: 'ann' }, options),
    async post(event, { delivery = randomUUID(), secret = SECRET } = {}) {
      const body = JSON.stringify({ repository: repository.url, ...event });
      const signature = createHmac('sha256', secret).update(body).digest('hex');
      const headers = { 'content-type': 'application/json', 'x-signature': `sha256=${signature}`, 'x-delivery': delivery };
      const response = await fetch(`${api.url}/webhooks/${tenant}/config`, { method: 'POST', headers, body });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    },
    async push(files, branch = 'main') {
      const commit = await repository.commit(files, branch);
      const delivery = randomUUID();
      const answer = await stack.deliver(commit, { branch, delivery });
      if (answer.status !== 202) throw new Error(`the webhook was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
      return stack.outcomeOf(branch, delivery);
    },
    async outcomeOf(stream, requestId) {
      const handle = temporal.client.workflow.getHandle(syncWorkflowId(tenant, 'config', stream));
      const results: SyncResult = await requestResults(handle);
      const found = results.requests.find((request) => request.id === requestId);
      if (!found) throw new Error(`the run ended without a word about request ${requestId}: ${JSON.stringify(results)}`);
      return found.outcome;
    },
    async sync(request = {}, stream = 'main') {
      const whole: SyncRequest = { id: randomUUID(), trigger: 'manual', ref: { kind: 'branch', name: stream }, ...request };
      await startSync(temporal.client, { tenant, repository: 'config', stream }, whole, { taskQueue });
      return stack.outcomeOf(stream, whole.id);
    },
    async reloadBundle(text) {
      await writeBundle(text);
      bundle = await loadBundle(bundlePath, sinkDefinitions);
      await api.reload();
    },
    workerParts: () => createWorkerParts(parts()),
    async stopWorker() {
      await Promise.all(workers.map((worker) => worker.stop()));
      workers = [];
    },
    startWorker,
    async rekey(newKey) {
      await Promise.all([stack.stopWorker(), api.stop()]);
      await temporal.close();
      codecKey = newKey;
      temporal = await connectTemporal(codecKey);
      api = await startApi(environment(), createLogger({ name: 'api', level: 'silent' }));
      await startWorker();
    },
    async close() {
      await temporal.client.workflow
        .getHandle(`drift/${tenant}`)
        .terminate('the test is over')
        .catch(() => undefined);
      await stack.stopWorker();
      await api.stop();
      await credentials.close();
      await Promise.all(natives.map((native) => native.close()));
      await temporal.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return stack;
}

export async function createRepository(path: string): Promise<TestRepository> {
  const bare = `${path}.git`;
  const work = `${path}-work`;
  const git = async (...args: readonly string[]): Promise<string> => {
    const { stdout } = await run('git', ['-C', work, '-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', ...args]);
    return stdout.trim();
  };
  await run('git', ['init', '-q', '--bare', '-b', 'main', bare]);
  await run('git', ['clone', '-q', bare, work]);
  return {
    url: `file://${bare}`,
    git,
    async commit(files, branch = 'main') {
      const exists = await git('rev-parse', '--verify', '-q', `refs/heads/${branch}`).catch(() => '');
      if (exists) await git('checkout', '-q', branch);
      else await git('checkout', '-q', ...((await git('rev-parse', '-q', '--verify', 'HEAD').catch(() => '')) ? ['-b', branch] : ['--orphan', branch]));
      for (const [file, content] of Object.entries(files)) {
        const target = join(work, file);
        if (content === null) await rm(target);
        else {
          await mkdir(dirname(target), { recursive: true });
          await writeFile(target, content);
        }
      }
      await git('add', '-A');
      await git('commit', '-q', '--allow-empty', '-m', `change ${Object.keys(files).join(' ') || 'nothing'}`);
      await git('push', '-q', '-f', 'origin', branch);
      return git('rev-parse', 'HEAD');
    },
  };
}
