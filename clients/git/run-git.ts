import { spawn, type ChildProcess } from 'node:child_process';
import pLimit from 'p-limit';
import { GitError } from './git-error.ts';

export interface GitCommand {
  readonly args: readonly string[];
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly timeoutMs: number;
  readonly maxOutputBytes: number;
  /** Largest file that the command may write. */
  readonly maxFileBytes?: number;
  /** Commands that wait for the network must not hold up those that only read a mirror. */
  readonly lane: 'network' | 'local';
  readonly signal: AbortSignal | undefined;
  /** Called when the process is about to start, after waiting for its turn. */
  readonly onStart?: () => void;
}

export interface GitExit {
  /** `exit` may still be a failure: see `code`. */
  readonly end: 'exit' | 'timeout' | 'output-limit';
  /** -1 when a signal ended it: never to be taken for success with nothing to say. */
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface GitRunner {
  /** Throws the signal's reason when aborted, and `unavailable` when there is no git; every other end is an answer. */
  run(command: GitCommand): Promise<GitExit>;
  /** Ends every command that still runs. */
  close(): Promise<void>;
}

const MAX_STDERR_BYTES = 64 * 1024;
const KILL_AFTER_MS = 2_000;
// The kernel's limit is the only one that fetch has: no setting of git bounds what a fetch may bring (receive.maxInputSize is for pushes).
const LIMITED = 'ulimit -f "$0" && exec git "$@"';

/**
 * Runs git itself, not through simple-git: that takes a child killed by a signal for a success with empty output, may answer before the output is
 * complete, cannot bound what it collects, waits 50 ms after a command that prints nothing, and signals git but not the ssh or index-pack under it.
 */
export function createGitRunner(): GitRunner {
  const lanes = { network: pLimit(16), local: pLimit(8) };
  const running = new Map<ChildProcess, Promise<unknown>>();
  const closing = new AbortController();

  return {
    run: (command) =>
      lanes[command.lane](async () => {
        const signal = command.signal ? AbortSignal.any([command.signal, closing.signal]) : closing.signal;
        signal.throwIfAborted();
        command.onStart?.();
        const { child, exit } = start(command, signal);
        running.set(child, exit);
        return exit.finally(() => running.delete(child));
      }),
    close: async () => {
      closing.abort(new Error('the Git client was closed'));
      await Promise.allSettled(running.values());
    },
  };
}

function start(command: GitCommand, signal: AbortSignal): { readonly child: ChildProcess; readonly exit: Promise<GitExit> } {
  const [file, args] =
    command.maxFileBytes === undefined ? ['git', command.args] : ['/bin/sh', ['-c', LIMITED, String(Math.ceil(command.maxFileBytes / 512)), ...command.args]];
  // Its own process group, so that ending it ends the transport and the unpacking under it too.
  const child = spawn(file, args, { cwd: '/', env: command.env, stdio: 'pipe', detached: true });
  return { child, exit: collect(child, command, signal) };
}

function collect(child: ReturnType<typeof spawn>, command: GitCommand, signal: AbortSignal): Promise<GitExit> {
  return new Promise((resolve, reject) => {
    const { stdin, stdout, stderr } = child;
    if (!stdin || !stdout || !stderr) throw new TypeError('git was started without its pipes');
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let outBytes = 0;
    let errBytes = 0;
    let end: GitExit['end'] = 'exit';
    const stop = (why: GitExit['end']): void => {
      end = why;
      endGroup(child);
    };
    const abort = (): void => endGroup(child);
    const timer = setTimeout(() => stop('timeout'), command.timeoutMs);
    signal.addEventListener('abort', abort, { once: true });

    stdout.on('data', (chunk: Buffer) => {
      outBytes += chunk.length;
      if (outBytes <= command.maxOutputBytes) out.push(chunk);
      else if (end === 'exit') stop('output-limit');
    });
    stderr.on('data', (chunk: Buffer) => {
      errBytes += chunk.length;
      if (errBytes <= MAX_STDERR_BYTES) err.push(chunk);
    });
    // git may end before it has read everything; its exit code says what that means.
    stdin.on('error', () => undefined);
    stdin.end(command.input ?? '');

    const settle = (done: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      done();
    };
    child.on('error', (error) =>
      settle(() => reject(new GitError('unavailable', `git could not be started (${error.message}); install git`, { cause: error }))),
    );
    child.on('close', (code) =>
      settle(() => {
        if (signal.aborted) reject(signal.reason);
        else resolve({ end, code: code ?? -1, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() });
      }),
    );
  });
}

/** Asks first: git removes its lock files and temporary packs on SIGTERM. */
function endGroup(child: ChildProcess): void {
  const pid = child.pid;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  signalGroup(pid, 'SIGTERM');
  const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), KILL_AFTER_MS);
  child.once('close', () => clearTimeout(timer));
}

function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch {
    // It has ended by itself.
  }
}
