import { Connection } from '@temporalio/client';

import { programOf } from './program-of.ts';
import { startProcess } from './start-process.ts';

export interface TemporalServer {
  /** `127.0.0.1:port`, for `Connection.connect({ address })`. */
  readonly address: string;
  readonly namespace: string;
  readonly port: number;
  stop(): Promise<void>;
  /** SIGKILL, as a crash would be. */
  kill(): Promise<void>;
}

export interface TemporalServerOptions {
  /** Keeps the state in this SQLite file, so that a second server can take over; in memory otherwise. */
  readonly databaseFile?: string;
  /** A fixed port, to start a server again where one was. */
  readonly port?: number;
  readonly args?: readonly string[];
}

const NAMESPACE = 'default';
const START = ['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--namespace', NAMESPACE, '--log-level', 'error'];
// Without the first two the development server waits for a 50 ms tick at every step; without the third a fairness key counts for nothing.
const DYNAMIC_CONFIG = ['history.transferProcessorMaxPollRPS=10000', 'history.timerProcessorMaxPollRPS=10000', 'matching.enableFairness=true'];

/** Starts a Temporal development server. Most tests need none of their own: the run has one, at `inject('temporal')`. */
export async function startTemporal(options: TemporalServerOptions = {}): Promise<TemporalServer> {
  const server = await startProcess({
    program: await programOf('temporal'),
    port: options.port,
    args: (port) => [
      ...START,
      '--port',
      String(port),
      ...DYNAMIC_CONFIG.flatMap((setting) => ['--dynamic-config-value', setting]),
      ...(options.databaseFile === undefined ? [] : ['--db-filename', options.databaseFile]),
      ...(options.args ?? []),
    ],
    ready: answers,
  });
  const { port, stop, kill } = server;
  return { address: `127.0.0.1:${port}`, namespace: NAMESPACE, port, stop, kill };
}

async function answers(port: number): Promise<boolean> {
  const connection = await Connection.connect({ address: `127.0.0.1:${port}`, connectTimeout: 2_000 });
  try {
    await connection.workflowService.describeNamespace({ namespace: NAMESPACE });
    return true;
  } finally {
    await connection.close();
  }
}
