import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';

const TAIL_CHARACTERS = 64_000;
// More than a worker takes to drain.
const KILL_AFTER_MS = 45_000;
// Asks the kernel to end the child when this process is killed and can no longer do it.
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));

export interface ChildOptions {
  /** For people: `api`, `Temporal`. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly onOutput?: (text: string) => void;
}

export interface Child {
  readonly name: string;
  readonly pid: number;
  /** Resolves when it is gone, to how it ended: `exit code 1`, `SIGKILL`. */
  readonly gone: Promise<string>;
  /** The last lines of what it printed. */
  tail(lines: number): string;
  /** The first match in what it prints, from its start on. Rejects if it ends before or takes too long, with its last lines. */
  prints(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray>;
  /** SIGTERM, and SIGKILL if it does not go. Resolves when it is gone. */
  stop(): Promise<void>;
  kill(): void;
}

/**
 * Starts a process outside of the terminal's process group: Ctrl-C reaches only us, and we end our children in order.
 * On Linux it also ends when we are killed.
 */
export function startChild({ name, program, args, env, onOutput }: ChildOptions): Child {
  const [command, ...rest] = SETPRIV === undefined ? [program, ...args] : [SETPRIV, '--pdeathsig', 'TERM', '--', program, ...args];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...(env && { env: { ...env } }) });
  let output = '';
  const waiting = new Set<() => void>();
  const add = (text: string): void => {
    output = (output + text).slice(-TAIL_CHARACTERS);
    onOutput?.(text);
    for (const look of waiting) look();
  };
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', add);
  child.once('error', (error) => add(`${error.message}\n`));
  const gone = endOf(child);

  const tail = (lines: number): string => output.trimEnd().split('\n').slice(-lines).join('\n');
  return {
    name,
    pid: child.pid ?? 0,
    gone,
    tail,
    async prints(pattern, timeoutMs) {
      const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
      const look = (): void => {
        const found = pattern.exec(output);
        if (found) resolve(found);
      };
      const fail = (what: string): void => reject(new Error(`${name} ${what}:\n${tail(20)}`));
      const timer = setTimeout(() => fail(`was not ready within ${timeoutMs / 1000} s`), timeoutMs);
      void gone.then((how) => fail(`ended at once (${how})`));
      waiting.add(look);
      look();
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
        waiting.delete(look);
      }
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
      await gone;
      clearTimeout(timer);
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

async function endOf(child: ChildProcess): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  child.once('error', () => resolve('could not be started'));
  void once(child, 'close').then(
    ([code, signal]) => resolve(signal === null ? `exit code ${code}` : String(signal)),
    () => resolve('could not be started'),
  );
  return promise;
}
