import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { Client, Connection } from '@temporalio/client';
import { Redis } from 'ioredis';
import { requestResults } from '../../clients/sync-result.ts';
import type { RunOutcome } from '../../domain/status.ts';
import { syncWorkflowId, type RequestResult } from '../../workflows/messages.ts';
import { createRepository, type Files, type TestRepository } from '../product/stack.ts';
import { freePort } from '../servers/free-port.ts';
import { startRedis } from '../servers/redis.ts';
import { startSeaweed } from '../servers/seaweedfs.ts';
import { startProcess, type ServerProcess } from '../servers/start-process.ts';

/** The product as processes, on real servers, with many tenants: each is one experiment, and one kill ends the work of all of them. */
export interface Lab {
  readonly tenants: readonly string[];
  readonly taskQueue: string;
  /** Everything of this lab is below it. */
  readonly directory: string;
  readonly redis: Redis;
  readonly s3: S3Client;
  readonly client: Client;
  readonly repository: TestRepository;
  readonly stops: StopControl;
  /** The worker of the product. */
  startWorker(): Promise<ServerProcess>;
  /** One that can be held; see stops.ts. */
  startWorkerWithStops(): Promise<ServerProcess>;
  /** The api of the product; `temporal` is the address that it is told. */
  startApi(temporal?: string): Promise<ServerProcess>;
  /** Posts the signed webhook of a push to one api, as a forge would. */
  deliver(api: ServerProcess, tenant: string, delivery: Delivery): Promise<Answer>;
  /** Delivers to a tenant and gives how the request ended. */
  sync(api: ServerProcess, tenant: string, commit: string): Promise<RunOutcome>;
  /** Brings these tenants to a commit; throws where one does not get there. */
  begin(api: ServerProcess, tenants: readonly string[], commit: string): Promise<void>;
  /** What the run says of its requests, when it is over. */
  resultsOf(answer: Answer): Promise<readonly RequestResult[]>;
  close(): Promise<void>;
}

export interface StopControl {
  readonly directory: string;
  arm(points: Readonly<Record<string, string>>): Promise<void>;
  /** Resolves when all of them wait at their points, to the processes that do. */
  held(tenants: readonly string[]): Promise<readonly number[]>;
  letGo(tenant: string): Promise<void>;
  notes(): Promise<readonly string[]>;
}

export interface Delivery {
  readonly commit: string;
  readonly id?: string;
  readonly branch?: string;
}

export interface Answer {
  readonly status: number;
  readonly id: string;
  readonly workflowId?: string;
  readonly runId?: string;
}

export interface LabOptions {
  readonly tenants: number;
  readonly temporal: string;
  /** Tenants, by index, whose rule also writes to a gate that refuses everything while `refuse` is there. */
  readonly gated?: (index: number) => boolean;
  /** The rule's watch, as YAML; none unless given. */
  readonly drift?: string;
}

const SECRET = 'webhook-secret';
const root = join(import.meta.dirname, '../..');

export async function openLab(options: LabOptions): Promise<Lab> {
  const directory = await mkdtemp(join(tmpdir(), 'vartrack-kills-'));
  const prefix = `k${randomBytes(3).toString('hex')}`;
  const tenants = Array.from({ length: options.tenants }, (_, index) => `${prefix}x${String(index).padStart(2, '0')}`);
  const taskQueue = prefix;
  await Promise.all(['files', 'gates', 'stops'].map((name) => mkdir(join(directory, name))));
  const repository = await createRepository(join(directory, 'repository'));
  const [redisServer, seaweed] = await Promise.all([startRedis(), startSeaweed()]);
  const redis = new Redis(redisServer.url);
  await seaweed.client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  const connection = await Connection.connect({ address: options.temporal });
  const bundle = tenants.map((tenant, index) => {
    const [gate, drift] = [options.gated?.(index) === true, options.drift ?? 'mode: off'];
    return tenantYaml({ tenant, gate, drift, directory, repository: repository.url, redis: redisServer.url, s3: seaweed.endpoint });
  });
  await writeFile(join(directory, 'vartrack.yaml'), `apiVersion: vartrack.dev/v1\nsettings: { allowFileRepositories: true }\ntenants:\n${bundle.join('')}`);
  await Promise.all(
    tenants.map(async (tenant) => {
      await redis.hset(`${tenant}:settings`, 'foreign', 'a stranger’s');
      await writeFile(join(directory, 'files', `${tenant}.txt`), 'a stranger’s');
      await seaweed.client.send(new PutObjectCommand({ Bucket: BUCKET, Key: `${tenant}/foreign.txt`, Body: 'a stranger’s' }));
    }),
  );
  const env = {
    TEMPORAL_ADDRESS: options.temporal,
    TEMPORAL_NAMESPACE: 'default',
    VARTRACK_BUNDLE: join(directory, 'vartrack.yaml'),
    VARTRACK_CACHE_DIR: join(directory, 'cache'),
    VARTRACK_TASK_QUEUE: taskQueue,
    VARTRACK_API_HOST: '127.0.0.1',
    KILLS_DIRECTORY: join(directory, 'stops'),
    KILLS_WEBHOOK_SECRET: SECRET,
    KILLS_S3_ID: 'admin',
    KILLS_S3_SECRET: 'admin-secret',
    LOG_LEVEL: 'error',
  };
  const started: ServerProcess[] = [];

  async function start(script: string, extra: (port: number) => Record<string, string>, ready: string): Promise<ServerProcess> {
    const port = await freePort();
    const program = { program: process.execPath, args: () => [join(root, script)], port, env: { ...env, ...extra(port) } };
    const child = await startProcess({ ...program, ready: async () => (await fetch(`http://127.0.0.1:${port}${ready}`)).ok });
    started.push(child);
    return child;
  }

  const lab: Lab = {
    tenants,
    taskQueue,
    directory,
    redis,
    s3: seaweed.client,
    client: new Client({ connection }),
    repository,
    stops: controlOf(join(directory, 'stops')),
    startWorker: () => start('worker/main.ts', (port) => ({ VARTRACK_METRICS_PORT: String(port) }), '/metrics'),
    startWorkerWithStops: () => start('test/kills/worker-with-stops.ts', (port) => ({ VARTRACK_METRICS_PORT: String(port) }), '/metrics'),
    startApi: (temporal = options.temporal) =>
      start('api/main.ts', (port) => ({ VARTRACK_API_PORT: String(port), VARTRACK_METRICS_PORT: '0', TEMPORAL_ADDRESS: temporal }), '/readyz'),
    async deliver(api, tenant, { commit, id = randomUUID(), branch = 'main' }) {
      const body = JSON.stringify({ repository: repository.url, ref: `refs/heads/${branch}`, commit });
      const signature = createHmac('sha256', SECRET).update(body).digest('hex');
      const headers = { 'content-type': 'application/json', 'x-signature': `sha256=${signature}`, 'x-delivery': id };
      const response = await fetch(`http://127.0.0.1:${api.port}/webhooks/${tenant}/config`, { method: 'POST', headers, body });
      return { ...((await response.json()) as object), status: response.status, id };
    },
    async sync(api, tenant, commit) {
      const answer = await lab.deliver(api, tenant, { commit });
      const results = await lab.resultsOf(answer);
      const found = results.find(({ id }) => id === answer.id);
      if (!found) throw new Error(`the run said nothing of ${JSON.stringify(answer)}: ${JSON.stringify(results)}`);
      return found.outcome;
    },
    async begin(api, tenants, commit) {
      const ends = await Promise.all(tenants.map((tenant) => lab.sync(api, tenant, commit)));
      const other = ends.find(({ status }) => status !== 'Synced');
      if (other) throw new Error(`a tenant could not be brought to its first commit: ${JSON.stringify(other)}`);
    },
    async resultsOf({ workflowId, runId, status }) {
      if (workflowId === undefined) throw new Error(`the webhook was answered ${status} and started nothing`);
      return (await requestResults(lab.client.workflow.getHandle(workflowId, runId))).requests;
    },
    async close() {
      await Promise.all(tenants.flatMap((tenant) => [`drift/${tenant}`, syncWorkflowId(tenant, 'config', 'main')]).map((id) => terminate(lab.client, id)));
      await Promise.all(started.map((child) => child.kill()));
      redis.disconnect();
      await Promise.all([connection.close(), redisServer.stop(), seaweed.stop()]);
      await rm(directory, { recursive: true, force: true });
    },
  };
  return lab;
}

export const BUCKET = 'settings';

/** The files of the commit that every tenant starts from, and of the one that the experiments are about: a change, a new key and a delete. */
export const FIRST: Files = { 'settings/production.yaml': settingsOf('first', 'old') };
export const SECOND: Files = { 'settings/production.yaml': settingsOf('second', 'fresh') };
export const THIRD: Files = { 'settings/production.yaml': settingsOf('third', 'fresh') };

function settingsOf(name: string, extra: string): string {
  const size = name.length;
  return `name: ${name}\npool: { size: ${size}, idle: ${size} }\nlimits: { a: 1, b: 2 }\n${extra}: here\n`;
}

interface TenantOptions {
  readonly tenant: string;
  readonly gate: boolean;
  readonly drift: string;
  readonly directory: string;
  readonly repository: string;
  readonly redis: string;
  readonly s3: string;
}

function tenantYaml({ tenant, gate, drift, directory, repository, redis, s3 }: TenantOptions): string {
  return `  ${tenant}:
    repositories:
      config: { provider: generic, url: "${repository}", webhookSecret: { env: KILLS_WEBHOOK_SECRET }, poll: off }
    sinks:
      cache: { kind: redis, url: "${redis}" }
      files: { kind: linux, transport: local, root: "${directory}/files" }
      gate: { kind: linux, transport: local, root: "${directory}/gates" }
      bucket: { kind: s3, endpoint: "${s3}", forcePathStyle: true, credentials: { accessKeyId: { env: KILLS_S3_ID }, secretAccessKey: { env: KILLS_S3_SECRET } } }
    rules:
      settings:
        from: { repository: config, files: [ "settings/{env}.yaml" ] }
        environments: { branches: { main: production } }
        schema: none
        to:
          - { sink: cache, place: "{tenant}:settings" }
          - { sink: files, place: "${directory}/files/{tenant}.env" }
          - { sink: bucket, place: "${BUCKET}/{tenant}/settings.json" }
${gate ? `          - { sink: gate, place: "${directory}/gates/{tenant}.env", validate: "test ! -e ${directory}/refuse" }\n` : ''}        drift: { ${drift} }
`;
}

function controlOf(directory: string): StopControl {
  return {
    directory,
    arm: (points) => writeFile(join(directory, 'arms.json'), JSON.stringify(points)),
    async held(tenants) {
      await until(
        () => tenants.every((tenant) => existsSync(join(directory, `${tenant}.held`))),
        `${tenants.length} tenants are held`,
        () => tenants.filter((tenant) => !existsSync(join(directory, `${tenant}.held`))).join(', '),
      );
      return Promise.all(tenants.map(async (tenant) => Number(await readFile(join(directory, `${tenant}.held`), 'utf8'))));
    },
    letGo: (tenant) => writeFile(join(directory, `${tenant}.go`), ''),
    notes: async () => (await readFile(join(directory, 'notes'), 'utf8').catch(() => '')).split('\n').filter(Boolean),
  };
}

/** Waits for a condition; `missing` tells a failing test what was not there. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, missing: () => string = () => '', deadlineMs = 150_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`it did not become true within ${deadlineMs / 1000} s that ${what}: ${missing()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Lets a script go on that outlived its worker, once the next attempt waits for its lock. */
export async function goOnWhenAwaited(lab: Lab, tenant: string): Promise<void> {
  const waiting = async (): Promise<number> =>
    (await readdir(join(lab.directory, 'files'))).filter((name) => name.startsWith(`.${tenant}.env.vartrack.tmp.`) && name.endsWith('.in')).length;
  await until(async () => (await waiting()) >= 2, `another script waits for the one of ${tenant}`);
  await lab.stops.letGo(tenant);
}

async function terminate(client: Client, workflowId: string): Promise<void> {
  // Most are over, or were never there.
  await client.workflow
    .getHandle(workflowId)
    .terminate('the test is over')
    .catch(() => undefined);
}
