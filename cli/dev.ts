import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Connection } from '@temporalio/client';
import { getTemporalCli } from '../tools/get/temporal-cli.ts';
import { CliError } from './cli-error.ts';
import { startChild, type Child } from './dev/child.ts';
import { loadSettings } from './settings.ts';

export interface DevOptions {
  readonly bundle?: string;
  readonly port: number;
  readonly temporalPort: number;
  readonly uiPort: number;
  readonly dbFilename?: string;
}

const START = ['server', 'start-dev', '--log-level', 'error'];
const HOST = '127.0.0.1';
const NAMESPACE = 'default';
// A terminal that is closed ends everything as Ctrl-C does.
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const READY_WITHIN_MS = 60_000;
// Without the first two the development server waits for a 50 ms tick at every step; without the third a fairness key counts for nothing.
const DYNAMIC_CONFIG = ['history.transferProcessorMaxPollRPS=10000', 'history.timerProcessorMaxPollRPS=10000', 'matching.enableFairness=true'];

/** `vartrack dev`: all of varTrack on this machine. Ends with Ctrl-C, or with the first process that ends by itself. */
export async function runDev(options: DevOptions): Promise<void> {
  const settings = await loadSettings(options.bundle);
  const temporalCli = await getTemporalCli((line) => process.stderr.write(`${line}\n`));
  if (options.dbFilename !== undefined) await mkdir(dirname(options.dbFilename), { recursive: true });

  const children: Child[] = [];
  const interrupted = new Promise<'interrupted'>((resolve) => {
    for (const signal of SIGNALS) process.on(signal, () => resolve('interrupted'));
  });
  const asking = new AbortController();
  try {
    const temporal = startChild('temporal', temporalCli, serverArguments(options), {});
    children.push(temporal);
    if ((await Promise.race([interrupted, temporal.ended, answers(options.temporalPort, asking.signal)])) === 'ready') {
      const env = environment(options, settings.bundlePath);
      children.push(startChild('worker', process.execPath, [main(), 'worker'], env.worker), startChild('api', process.execPath, [main(), 'api'], env.api));
      process.stderr.write(`api http://${HOST}:${options.port}   Temporal UI http://${HOST}:${options.uiPort}   Ctrl-C ends it\n`);
    }
    if ((await Promise.race([interrupted, ...children.map((child) => child.ended)])) !== 'interrupted') throw endedByItself(children);
  } finally {
    asking.abort();
    // A second Ctrl-C does not wait.
    for (const signal of SIGNALS) process.on(signal, () => children.forEach((child) => child.kill()));
    // The api first, so that nothing comes in; the worker while its server still answers.
    for (const child of children.toReversed()) await child.stop();
    for (const signal of SIGNALS) process.removeAllListeners(signal);
  }
}

function serverArguments({ temporalPort, uiPort, dbFilename }: DevOptions): string[] {
  return [
    ...START,
    '--namespace',
    NAMESPACE,
    '--ip',
    HOST,
    '--port',
    String(temporalPort),
    '--ui-port',
    String(uiPort),
    ...DYNAMIC_CONFIG.flatMap((setting) => ['--dynamic-config-value', setting]),
    ...(dbFilename === undefined ? [] : ['--db-filename', dbFilename]),
  ];
}

function environment(options: DevOptions, bundlePath: string): Readonly<Record<'api' | 'worker', Readonly<Record<string, string>>>> {
  const shared = { TEMPORAL_ADDRESS: `${HOST}:${options.temporalPort}`, TEMPORAL_NAMESPACE: NAMESPACE, VARTRACK_BUNDLE: bundlePath };
  const api = {
    ...shared,
    VARTRACK_API_HOST: process.env['VARTRACK_API_HOST'] ?? HOST,
    VARTRACK_API_PORT: String(options.port),
    VARTRACK_UI_URL: `http://${HOST}:${options.uiPort}`,
  };
  // One variable names the port of both in their own deployments; here they share a machine.
  const metricsPort = Number(process.env['VARTRACK_METRICS_PORT'] || 9464);
  return { api: { ...api, VARTRACK_METRICS_PORT: String(metricsPort) }, worker: { ...shared, VARTRACK_METRICS_PORT: String(metricsPort + 1) } };
}

/** Resolves when the server answers, or when nobody asks any more. */
async function answers(port: number, signal: AbortSignal): Promise<'ready' | 'stopped'> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!signal.aborted) {
    try {
      const connection = await Connection.connect({ address: `${HOST}:${port}`, connectTimeout: 2_000 });
      try {
        await connection.workflowService.describeNamespace({ namespace: NAMESPACE });
        return 'ready';
      } finally {
        await connection.close();
      }
    } catch (error) {
      if (Date.now() > deadline) throw new CliError('unreachable', `the Temporal server does not answer at ${HOST}:${port}`, { cause: error });
      await delay(100);
    }
  }
  return 'stopped';
}

function endedByItself(children: readonly Child[]): CliError {
  const dead = children.find((child) => child.end() !== undefined);
  if (!dead) return new CliError('failed', 'a process ended by itself');
  return new CliError(
    'failed',
    `${dead.name} ended by itself (${dead.end()}); its last lines:\n${dead
      .lastLines()
      .map((line) => `  ${line}`)
      .join('\n')}`,
  );
}

function main(): string {
  return fileURLToPath(new URL('main.ts', import.meta.url));
}
