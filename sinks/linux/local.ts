import { spawn, type ChildProcess } from 'node:child_process';
import { SinkError } from '../errors.ts';
import { watchDirectories } from './local-watch.ts';
import { BOOT } from './scripts.ts';
import {
  createCollector,
  encodeRequest,
  MAX_OUTPUT_BYTES,
  MAX_STDERR_BYTES,
  type Shell,
  type ShellRequest,
  type ShellResult,
  type WatchRequest,
} from './shell.ts';

export interface LocalShellOptions {
  /** The command that runs a script given after `-c`; `sh` by default. */
  readonly command?: readonly [string, ...string[]];
  readonly path?: string;
}

/** Runs `sh` on this machine, each call in a process group of its own, with nothing of the worker's environment but PATH. */
export function createLocalShell({ command = ['sh'], path = process.env['PATH'] }: LocalShellOptions = {}): Shell {
  const running = new Set<() => void>();
  let closed = false;

  async function run(request: ShellRequest): Promise<ShellResult> {
    if (closed) throw new SinkError('unavailable', 'the sink was closed');
    const [program, ...args] = command;
    const child = spawn(program, [...args, '-c', BOOT], {
      detached: true,
      cwd: '/',
      env: { PATH: path ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const stdout = createCollector(MAX_OUTPUT_BYTES);
    const stderr = createCollector(MAX_STDERR_BYTES);
    child.stdout.on('data', stdout.add);
    child.stderr.on('data', stderr.add);
    // A script that ends early leaves its input unread; what it said is in its output.
    child.stdin.on('error', () => undefined);
    child.stdin.end(encodeRequest(request));

    const { promise, resolve, reject } = Promise.withResolvers<ShellResult>();
    const kill = (reason: string): void => {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) endGroup(child, child.pid);
      reject(new SinkError('unavailable', reason));
    };
    const onAbort = (): void => kill('the call was cancelled');
    const onClose = (): void => kill('the sink was closed');
    const timer = setTimeout(() => kill(`no answer within ${request.timeoutMs / 1000} s`), request.timeoutMs);
    request.signal.addEventListener('abort', onAbort, { once: true });
    running.add(onClose);
    child.once('error', (cause) => reject(new SinkError('unsupported', `${program} cannot be started`, { cause })));
    child.once('close', (code) => resolve({ stdout: stdout.bytes(), stderr: stderr.bytes().toString('utf8'), code }));
    if (request.signal.aborted) onAbort();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      request.signal.removeEventListener('abort', onAbort);
      running.delete(onClose);
    }
  }

  async function watch(request: WatchRequest): Promise<void> {
    const closing = new AbortController();
    const onClose = (): void => closing.abort();
    if (closed) onClose();
    running.add(onClose);
    try {
      await watchDirectories({ ...request, signal: AbortSignal.any([request.signal, closing.signal]) });
    } finally {
      running.delete(onClose);
    }
    if (closing.signal.aborted && !request.signal.aborted) throw new SinkError('unavailable', 'the sink was closed');
  }

  return {
    host: '',
    run,
    watch,
    async close() {
      closed = true;
      for (const stop of running) stop();
    },
  };
}

// The script clears its temporary files up in no time; a command of the user's may not heed the first signal.
const KILL_AFTER_MS = 1_000;

function endGroup(child: ChildProcess, pid: number): void {
  signalGroup(pid, 'SIGTERM');
  const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), KILL_AFTER_MS);
  child.once('exit', () => clearTimeout(timer));
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It ended in between.
  }
}
