import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { formatLogLine } from './format-log-line.ts';

export interface Child {
  readonly name: string;
  /** Resolves when the process is gone, for whatever reason. */
  readonly ended: Promise<'ended'>;
  /** How it ended, for people; undefined while it runs. */
  end(): string | undefined;
  lastLines(): readonly string[];
  /** SIGTERM, and SIGKILL if it does not go. Resolves when it is gone. */
  stop(): Promise<void>;
  kill(): void;
}

const LINES_KEPT = 20;
// More than a worker takes to drain.
const STOP_WITHIN_MS = 45_000;
// Asks the kernel to end the child when this process is killed, which nothing in here can do.
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));

/** Starts a process and shows what it prints behind its name. It has a process group of its own: Ctrl-C is this program's, which ends them in order. */
export function startChild(name: string, program: string, args: readonly string[], env: Readonly<Record<string, string>>): Child {
  const command = SETPRIV === undefined ? [program, ...args] : [SETPRIV, '--pdeathsig', 'TERM', '--', program, ...args];
  const [file = program, ...rest] = command;
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env }, detached: true });
  const lines: string[] = [];
  let failure: string | undefined;
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      const text = formatLogLine(line);
      lines.push(text);
      if (lines.length > LINES_KEPT) lines.shift();
      process.stdout.write(`${name.padEnd(8)} | ${text}\n`);
    });
  }
  const ended = new Promise<'ended'>((resolve) => {
    child.once('close', () => resolve('ended'));
    child.once('error', (error) => {
      failure = error.message;
      resolve('ended');
    });
  });
  return {
    name,
    ended,
    end: () => failure ?? endOf(child),
    lastLines: () => lines,
    kill: () => void child.kill('SIGKILL'),
    async stop() {
      if (failure !== undefined || endOf(child) !== undefined) return;
      const gone = once(child, 'close');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
      await gone;
      clearTimeout(timer);
    },
  };
}

function endOf({ exitCode, signalCode }: ChildProcess): string | undefined {
  if (signalCode !== null) return `killed by ${signalCode}`;
  return exitCode === null ? undefined : `exit code ${exitCode}`;
}
