import { spawn, type ChildProcess } from 'node:child_process';
import { SinkError } from '../errors.ts';

export interface HelmRun {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What goes to its input: values, which are never in an argument or a file. */
  readonly input: string;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

export interface HelmResult {
  /** Exit code; null if a signal ended it. */
  readonly code: number | null;
  /** The end of what it said; may quote values. */
  readonly said: string;
  /** Why we ended it, if we did. */
  readonly ended: 'cancelled' | 'late' | null;
}

const MAX_SAID = 64 * 1024;
/** Helm marks a release as failed when it is asked to end; one that does not is made to. */
const KILL_AFTER_MS = 3_000;
const FROM_WORKER = ['PATH', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];

/** Runs Helm in a process group of its own. Resolves when it is gone, however it went; throws SinkError `unsupported` where it cannot be started. */
export async function runHelm(program: string, { args, env, input, signal, timeoutMs }: HelmRun): Promise<HelmResult> {
  const given = FROM_WORKER.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]] as const]));
  const child = spawn(program, args, { detached: true, cwd: '/', env: { ...Object.fromEntries(given), ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  const hear = (chunk: Buffer): void => void (said = (said + chunk.toString('utf8')).slice(-MAX_SAID));
  // Of repositories that refuse it Helm speaks on its output.
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);

  let ended: HelmResult['ended'] = null;
  let kill: NodeJS.Timeout | undefined;
  const end = (why: 'cancelled' | 'late'): void => {
    if (ended !== null) return;
    ended = why;
    signalGroup(child, 'SIGTERM');
    kill = setTimeout(() => signalGroup(child, 'SIGKILL'), KILL_AFTER_MS);
  };
  const onAbort = (): void => end('cancelled');
  const late = setTimeout(() => end('late'), timeoutMs);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await new Promise<HelmResult>((resolve, reject) => {
      child.once('error', () => reject(new SinkError('unsupported', `${program} cannot be started; install Helm on the worker, or set \`program\``)));
      child.once('close', (code) => resolve({ code, said, ended }));
    });
  } finally {
    clearTimeout(late);
    clearTimeout(kill);
    signal.removeEventListener('abort', onAbort);
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It ended in between.
  }
}
