import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Child, ChildOptions } from '../tools/dev/child-process.ts';
import { CliError } from './cli-error.ts';
import { formatLogLine } from './dev/format-log-line.ts';
import { showLines } from './dev/show-lines.ts';
import { loadSettings } from './settings.ts';

export interface DevOptions {
  readonly bundle?: string;
  readonly port: number;
  readonly temporalPort: number;
  readonly uiPort: number;
  readonly dbFilename?: string;
}

const HOST = '127.0.0.1';
const LAST_LINES = 20;
// A terminal that is closed ends everything as Ctrl-C does.
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** `vartrack dev`: all of varTrack on this machine. Ends with Ctrl-C, or with the first process that ends by itself. */
export async function runDev(options: DevOptions): Promise<void> {
  const settings = await loadSettings(options.bundle);
  const { getTemporalCli, startChild, startTemporalServer } = await loadTools();
  const temporalCli = await getTemporalCli((line) => process.stderr.write(`${line}\n`));
  if (options.dbFilename !== undefined) await mkdir(dirname(options.dbFilename), { recursive: true });

  const children: Child[] = [];
  const interrupted = new Promise<'interrupted'>((resolve) => {
    for (const signal of SIGNALS) process.on(signal, () => resolve('interrupted'));
  });
  const start = (child: ChildOptions): Child => {
    const started = startChild({ ...child, onOutput: showLines(child.name, (text) => process.stdout.write(text)) });
    children.push(started);
    return started;
  };
  try {
    const { temporalPort: port, uiPort, dbFilename: databaseFile } = options;
    const server = await Promise.race([interrupted, startTemporalServer({ program: temporalCli, port, uiPort, databaseFile, start }).catch(notStarted)]);
    if (server !== 'interrupted') {
      const env = environment(options, settings.bundlePath, { TEMPORAL_ADDRESS: server.address, TEMPORAL_NAMESPACE: server.namespace });
      for (const name of ['worker', 'api'] as const) start({ name, program: process.execPath, args: [main(), name], env: { ...process.env, ...env[name] } });
      process.stderr.write(`api http://${HOST}:${options.port}   Temporal UI ${server.uiUrl}   Ctrl-C ends it\n`);
    }
    const ended = await Promise.race([interrupted, ...children.map(endOf)]);
    if (ended !== 'interrupted') throw endedByItself(ended.child, ended.how);
  } finally {
    // A second Ctrl-C does not wait.
    for (const signal of SIGNALS) process.on(signal, () => children.forEach((child) => child.kill()));
    // The api first, so that nothing comes in; the worker while its server still answers.
    for (const child of children.toReversed()) await child.stop();
    for (const signal of SIGNALS) process.removeAllListeners(signal);
  }
}

/** Loaded when they are needed: an image is made without them and without what they need. */
async function loadTools() {
  try {
    const loaded = [import('../tools/get/temporal-cli.ts'), import('../tools/dev/child-process.ts'), import('../tools/dev/temporal-server.ts')] as const;
    const [cli, child, server] = await Promise.all(loaded);
    return { ...cli, ...child, ...server };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error;
    throw new CliError('unexpected', 'dev needs a checkout of varTrack with all its dependencies; elsewhere run "vartrack api" and "vartrack worker"', {
      cause: error,
    });
  }
}

function environment(options: DevOptions, bundlePath: string, temporal: Readonly<Record<string, string>>) {
  const shared = { ...temporal, VARTRACK_BUNDLE: bundlePath };
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

async function endOf(child: Child): Promise<{ readonly child: Child; readonly how: string }> {
  return { child, how: await child.gone };
}

function endedByItself(child: Child, how: string): CliError {
  const lines = child.tail(LAST_LINES).split('\n').map(formatLogLine);
  return new CliError('failed', [`${child.name} ended by itself (${how}); its last lines:`, ...lines.map((line) => `  ${line}`)].join('\n'));
}

function notStarted(error: unknown): never {
  throw new CliError('failed', error instanceof Error ? error.message : String(error), { cause: error });
}

function main(): string {
  return fileURLToPath(new URL('main.ts', import.meta.url));
}
