import { connect } from 'node:net';

import { programOf } from './program-of.ts';
import { startProcess } from './start-process.ts';

export interface RedisServer {
  /** `redis://[:password@]127.0.0.1:port` */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  stop(): Promise<void>;
  /** SIGKILL, as a crash would be. */
  kill(): Promise<void>;
}

export interface RedisServerOptions {
  readonly password?: string;
  /** More command line, e.g. `['--cluster-enabled', 'yes']`. */
  readonly args?: readonly string[];
  /** A fixed port, to start a server again where one was. */
  readonly port?: number;
}

// Tells of changes, as docs/sinks/redis.md asks for.
const START = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--notify-keyspace-events', 'Kg$hxe'];

/** Starts a real Redis, empty and without persistence, on a free port of 127.0.0.1. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const { password, args = [] } = options;
  const server = await startProcess({
    program: await programOf('redis'),
    port: options.port,
    args: (port) => [...START, '--port', String(port), ...(password === undefined ? [] : ['--requirepass', password]), ...args],
    ready: answersPing,
  });
  const credentials = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
  const { port, stop, kill } = server;
  return { url: `redis://${credentials}127.0.0.1:${port}`, host: '127.0.0.1', port, stop, kill };
}

async function answersPing(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    socket.setTimeout(1_000, () => socket.destroy());
    socket.write('PING\r\n');
    // With a password the answer is -NOAUTH: the server is up all the same. -LOADING is not.
    for await (const chunk of socket) return /^(\+PONG|-NOAUTH)/.test(String(chunk));
    return false;
  } finally {
    socket.destroy();
  }
}
