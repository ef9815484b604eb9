import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startDriftWatches } from '../../clients/start-drift-watch.ts';
import { createDataConverter } from '../../clients/temporal.ts';
import { describeWith } from '../servers/describe-with.ts';
import { freePort } from '../servers/free-port.ts';
import { startTemporal, type TemporalServer } from '../servers/temporal.ts';
import { delivery, fixture, SECRET, type Delivery } from './signed-delivery.ts';

const MAIN = fileURLToPath(new URL('../../api/main.ts', import.meta.url));
const WITHIN = { timeout: 20_000, interval: 50 };
const push = () => delivery('github', 'push', fixture('github-push-branch'));

describeWith('temporal', 'the api as a process', () => {
  let folder: string;
  let process: ApiProcess | undefined;
  let temporal: TemporalServer | undefined;
  let temporalPort: number;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vartrack-api-'));
    temporalPort = await freePort();
    await writeBundle(['config']);
    process = await startProcess();
  });
  afterEach(async () => {
    process?.child.kill('SIGKILL');
    await temporal?.stop();
    temporal = undefined;
    await rm(folder, { recursive: true, force: true });
  });

  it('answers 503 while Temporal is away, and hands the push to the workflow of its stream once it is there', async () => {
    expect(await statusOf('/healthz')).toBe(200);
    expect(await statusOf('/readyz')).toBe(503);
    expect((await send('config', push())).status).toBe(503);

    temporal = await startTemporal({ port: temporalPort });
    await expect.poll(() => statusOf('/readyz'), WITHIN).toBe(200);
    const response = await send('config', push());
    const answer = (await response.json()) as { runId: string; workflowId: string; links: { ui: string } };
    expect(response.status).toBe(202);
    expect(answer.links.ui).toBe(`http://ui.example/namespaces/default/workflows/sync%2Facme%2Fconfig%2Fmain/${answer.runId}`);

    const connection = await Connection.connect({ address: temporal.address });
    try {
      const handle = new Client({ connection }).workflow.getHandle(answer.workflowId, answer.runId);
      const { type, typedSearchAttributes, taskQueue } = await handle.describe();
      expect([type, taskQueue]).toEqual(['syncWorkflow', 'queue-of-api-test']);
      const attributes = typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]);
      expect(Object.fromEntries(attributes)).toMatchObject({ Tenant: 'acme', Repository: 'config', Stream: 'main', Trigger: 'push' });
      const { events } = await handle.fetchHistory();
      const signals = events?.flatMap((event) => event.workflowExecutionSignaledEventAttributes ?? []) ?? [];
      expect(signals.map(({ signalName }) => signalName)).toEqual(['push']);
      expect(JSON.parse(Buffer.from(signals[0]?.input?.payloads?.[0]?.data ?? []).toString())).toMatchObject({ trigger: 'push', ref: { name: 'main' } });
    } finally {
      await connection.close();
    }
  });

  it('joins pushes to one stream in one run', async () => {
    temporal = await startTemporal({ port: temporalPort });
    await expect.poll(() => statusOf('/readyz'), WITHIN).toBe(200);
    const answers = await Promise.all([1, 2, 3, 4, 5].map(async () => (await send('config', push())).json() as Promise<{ runId: string }>));
    expect(new Set(answers.map(({ runId }) => runId)).size).toBe(1);
  });

  it('takes no push that workers could not decrypt, and says what to set', async () => {
    temporal = await startTemporal({ port: temporalPort });
    await expect.poll(() => statusOf('/readyz'), WITHIN).toBe(200);
    const connection = await Connection.connect({ address: temporal.address });
    const client = new Client({ connection, dataConverter: createDataConverter(randomBytes(32).toString('base64')) });
    try {
      await startDriftWatches(client, ['acme'], 'queue-of-api-test');
      process?.child.kill('SIGKILL');
      process = await startProcess();
      await expect.poll(() => process?.log(), WITHIN).toContain('VARTRACK_CODEC_KEY');
      expect((await send('config', push())).status).toBe(503);
      expect(await statusOf('/readyz')).toBe(503);
    } finally {
      await connection.close();
    }
  });

  it('takes a new bundle at SIGHUP, and keeps the one it has when the new one is wrong', async () => {
    expect((await send('second', push())).status).toBe(404);
    await writeFile(join(folder, 'vartrack.yaml'), 'tenants: [');
    process?.child.kill('SIGHUP');
    await expect.poll(() => process?.log(), WITHIN).toContain('the new bundle is refused');
    expect((await send('config', push())).status).toBe(503);
    await writeBundle(['config', 'second']);
    process?.child.kill('SIGHUP');
    await expect.poll(async () => (await send('second', push())).status, WITHIN).toBe(503);
    const metrics = await (await fetch(`${process?.metricsUrl}/metrics`)).text();
    expect(metrics).toContain('vartrack_bundle_reloads_total{outcome="refused"} 1');
    expect(metrics).toContain('vartrack_bundle_reloads_total{outcome="reloaded"} 1');
  });

  it('ends by itself, with success, at SIGTERM', async () => {
    const child = process?.child as ChildProcess;
    const ended = once(child, 'exit');
    const startedMs = Date.now();
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    // Nothing was in flight, so it did not wait; least of all for Temporal, which is away.
    expect(Date.now() - startedMs).toBeLessThan(5_000);
  });

  it('does not start with a wrong environment, and says which variable it is', async () => {
    await expect(startProcess({ VARTRACK_API_PORT: 'http' })).rejects.toThrow(/VARTRACK_API_PORT/);
  });

  interface ApiProcess {
    readonly child: ChildProcess;
    readonly url: string;
    readonly metricsUrl: string;
    log(): string;
  }

  async function startProcess(changes: Record<string, string> = {}): Promise<ApiProcess> {
    const { execPath, env } = globalThis.process;
    const settings = { VARTRACK_BUNDLE: join(folder, 'vartrack.yaml'), VARTRACK_API_HOST: '127.0.0.1', VARTRACK_API_PORT: '0', VARTRACK_METRICS_PORT: '0' };
    const others = {
      TEMPORAL_ADDRESS: `127.0.0.1:${temporalPort}`,
      VARTRACK_UI_URL: 'http://ui.example/',
      ACME_WEBHOOK_SECRET: SECRET,
      VARTRACK_TASK_QUEUE: 'queue-of-api-test',
    };
    const child = spawn(execPath, [MAIN], { env: { ...env, ...settings, ...others, ...changes }, stdio: ['ignore', 'pipe', 'pipe'] });
    const lines: string[] = [];
    child.stderr.on('data', (chunk) => lines.push(String(chunk)));
    return await new Promise((resolve, reject) => {
      createInterface(child.stdout).on('line', (line) => {
        lines.push(line);
        const { msg, url, metricsUrl } = JSON.parse(line) as Record<string, string>;
        if (msg === 'api is listening') resolve({ child, url: String(url), metricsUrl: String(metricsUrl), log: () => lines.join('\n') });
      });
      child.once('close', () => reject(new Error(lines.join('\n'))));
    });
  }

  async function statusOf(path: string): Promise<number> {
    return (await fetch(`${process?.url}${path}`)).status;
  }

  async function send(repository: string, { headers, body }: Delivery): Promise<Response> {
    return await fetch(`${process?.url}/webhooks/acme/${repository}`, { method: 'POST', headers, body: new Uint8Array(body) });
  }

  async function writeBundle(repositories: readonly string[]): Promise<void> {
    const repository = { provider: 'github', url: 'https://github.com/acme/config.git', webhookSecret: { env: 'ACME_WEBHOOK_SECRET' } };
    const rule = (from: string) => ({
      from: { repository: from, files: ['settings.yaml'] },
      environments: { branches: { main: 'production' } },
      schema: 'none',
      to: [{ sink: 'cache', place: `acme:{env}:${from}` }],
    });
    const of = <T>(make: (name: string) => T) => Object.fromEntries(repositories.map((name) => [name, make(name)]));
    const acme = { repositories: of(() => repository), sinks: { cache: { kind: 'redis', url: 'redis://127.0.0.1:6379/0' } }, rules: of(rule) };
    await writeFile(join(folder, 'vartrack.yaml'), JSON.stringify({ apiVersion: 'vartrack.dev/v1', tenants: { acme } }));
  }
});
