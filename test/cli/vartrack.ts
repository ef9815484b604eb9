import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { Stack } from '../product/stack.ts';

export interface CliRun {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const ENDS_WITHIN_MS = 45_000;
const main = join(import.meta.dirname, '../../cli/main.ts');

/** Runs the command line as a process of its own, in an environment that holds nothing but what is given and what programs need. */
export async function vartrack(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliRun> {
  const child = startVartrack(args, env);
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const timer = setTimeout(() => child.kill('SIGKILL'), ENDS_WITHIN_MS);
  const [exitCode, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  if (signal !== null) throw new Error(`vartrack ${args.join(' ')} was killed by ${signal}; it had said:\n${stdout()}\n${stderr()}`);
  return { exitCode, stdout: stdout(), stderr: stderr() };
}

export function startVartrack(args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = process.env;
  return spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH, HOME, NODE_COMPILE_CACHE, ...env } });
}

export function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = '';
  stream?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  return () => text;
}

/** The environment by which the command line finds a stack's Temporal, task queue and bundle. */
export function environmentOf(stack: Pick<Stack, 'tenant' | 'directory'>): Record<string, string> {
  const { address, namespace } = inject('temporal');
  return {
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: namespace,
    VARTRACK_BUNDLE: join(stack.directory, 'vartrack.yaml'),
    VARTRACK_TASK_QUEUE: `test-${stack.tenant}`,
    VARTRACK_CACHE_DIR: join(stack.directory, 'cli-cache'),
  };
}
