import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { freePort } from '../../test/servers/free-port.ts';
import { startChild, type Child, type ChildOptions } from './child-process.ts';

const NAMESPACE = 'default';
const START = ['--ip', '127.0.0.1', '--ui-ip', '127.0.0.1', '--ui-disable-news-fetch', '--namespace', NAMESPACE, '--log-level', 'error'];
const READY_WITHIN_MS = 60_000;
const POLL_INTERVAL_MS = 50;
const ATTEMPTS = 3;
// Without the first two the development server waits for a 50 ms tick at every step; without the third a fairness key counts for nothing.
const DYNAMIC_CONFIG = ['history.transferProcessorMaxPollRPS=10000', 'history.timerProcessorMaxPollRPS=10000', 'matching.enableFairness=true'];

export interface TemporalServerOptions {
  /** The Temporal CLI, see `getTemporalCli`. */
  readonly program: string;
  /** Free ones by default. */
  readonly port?: number | undefined;
  readonly uiPort?: number | undefined;
  /** SQLite file that keeps the state; in memory by default. */
  readonly databaseFile?: string | undefined;
  /** Starts the process; for callers that have to know of it before it is ready, to end it. */
  readonly start?: (options: ChildOptions) => Child;
}

export interface TemporalServer {
  readonly child: Child;
  readonly address: string;
  readonly namespace: string;
  readonly uiUrl: string;
}

/** Starts a Temporal development server with its UI on 127.0.0.1 and waits until it answers. A lost race for a free port is a new try. */
export async function startTemporalServer(options: TemporalServerOptions): Promise<TemporalServer> {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    const uiPort = options.uiPort ?? (await freePort());
    const child = (options.start ?? startChild)({
      name: 'Temporal',
      program: options.program,
      args: [
        'server',
        'start-dev',
        ...START,
        '--port',
        String(port),
        '--ui-port',
        String(uiPort),
        ...DYNAMIC_CONFIG.flatMap((setting) => ['--dynamic-config-value', setting]),
        ...(options.databaseFile === undefined ? [] : ['--db-filename', options.databaseFile]),
      ],
    });
    const problem = await waitUntilReady(child, `127.0.0.1:${port}`);
    if (problem === undefined) return { child, address: `127.0.0.1:${port}`, namespace: NAMESPACE, uiUrl: `http://127.0.0.1:${uiPort}` };
    await child.stop();
    const ownChoice = options.port === undefined && options.uiPort === undefined;
    if (!ownChoice || attempt === ATTEMPTS || !/address already in use|bind:/i.test(child.tail(20))) throw new Error(`${problem}:\n${child.tail(20)}`);
  }
}

async function waitUntilReady(child: Child, address: string): Promise<string | undefined> {
  const limit = new AbortController();
  const deadline = Date.now() + READY_WITHIN_MS;
  const ended = child.gone.then((how) => `Temporal could not be started (${how})`);
  const ready = (async () => {
    while (!limit.signal.aborted && !(await answers(address))) {
      if (Date.now() > deadline) return `Temporal did not answer at ${address} within ${READY_WITHIN_MS / 1000} s`;
      await delay(POLL_INTERVAL_MS);
    }
    return undefined;
  })();
  try {
    return await Promise.race([ended, ready]);
  } finally {
    limit.abort();
  }
}

async function answers(address: string): Promise<boolean> {
  try {
    const connection = await Connection.connect({ address, connectTimeout: 2_000 });
    try {
      await connection.workflowService.describeNamespace({ namespace: NAMESPACE });
      return true;
    } finally {
      await connection.close();
    }
  } catch {
    return false;
  }
}
