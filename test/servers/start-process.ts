import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { freePort } from './free-port.ts';

const ATTEMPTS = 3;
const READY_WITHIN_MS = 30_000;
const STOP_WITHIN_MS = 5_000;
const POLL_INTERVAL_MS = 25;
const LOG_CHARACTERS = 4_000;
// Asks the kernel to kill the server when this process goes, however it goes: the handlers below cannot run after a SIGKILL.
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));

export interface ServerProcess {
  readonly port: number;
  readonly pid: number;
  /** The end of what it printed, for a failing test's message. */
  log(): string;
  /** SIGTERM, and SIGKILL if it does not go. Resolves when it is gone. */
  stop(): Promise<void>;
  /** SIGKILL, as a crash would be. Resolves when it is gone. */
  kill(): Promise<void>;
}

export interface ProcessOptions {
  readonly program: string;
  readonly args: (port: number) => readonly string[];
  /** Resolves to true once the server answers; may throw or answer false until then. */
  readonly ready: (port: number) => Promise<boolean>;
  /** A fixed port, for a server that is started again at its old address. */
  readonly port?: number | undefined;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Starts a server on a free port of 127.0.0.1 and waits until it answers. A lost race for the port is a new try with another one. */
export async function startProcess(options: ProcessOptions): Promise<ServerProcess> {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    const server = launch(options, port);
    const failure = await waitUntilReady(server, () => options.ready(port));
    if (failure === undefined) return server;
    await server.kill();
    const again = options.port === undefined && attempt < ATTEMPTS && /address already in use|bind:/i.test(server.log());
    if (!again) throw new Error(`${options.program} ${failure}\n${server.log()}`);
  }
}

function launch(options: ProcessOptions, port: number): ServerProcess & { readonly child: ChildProcess } {
  const command = [options.program, ...options.args(port)];
  if (SETPRIV !== undefined) command.unshift(SETPRIV, '--pdeathsig', 'KILL', '--');
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  let log = '';
  const remember = (chunk: Buffer): void => void (log = (log + chunk.toString('utf8')).slice(-LOG_CHARACTERS));
  child.stdout.on('data', remember);
  child.stderr.on('data', remember);
  child.once('error', (error) => remember(Buffer.from(String(error))));
  killOnExit(child);
  return { child, port, pid: child.pid ?? 0, log: () => log, stop: () => end(child, 'SIGTERM'), kill: () => end(child, 'SIGKILL') };
}

async function waitUntilReady(server: { readonly child: ChildProcess }, ready: () => Promise<boolean>): Promise<string | undefined> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!isGone(server.child)) {
    if (await ready().catch(() => false)) return undefined;
    if (Date.now() > deadline) return `did not answer within ${READY_WITHIN_MS / 1000} s`;
    await delay(POLL_INTERVAL_MS);
  }
  return `ended at once (${server.child.exitCode ?? server.child.signalCode ?? 'not started'})`;
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (isGone(child)) return;
  const gone = once(child, 'close');
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
  await gone;
  clearTimeout(timer);
}

function isGone(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

const running = new Set<ChildProcess>();

function killOnExit(child: ChildProcess): void {
  if (running.size === 0) {
    process.once('exit', killAll);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, dieOf);
  }
  running.add(child);
  child.once('close', () => {
    running.delete(child);
    if (running.size > 0) return;
    process.off('exit', killAll);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, dieOf);
  });
}

function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

function dieOf(signal: NodeJS.Signals): void {
  // Who listens for it too ends this process, and what it started, in an order of its own.
  if (process.listenerCount(signal) > 0) return;
  killAll();
  process.kill(process.pid, signal);
}
