// The process that starts git, as `git-host.ts` forks it. Ends, and ends all git under it, when the process that it works for is gone.
import { spawn, type ChildProcess } from 'node:child_process';
import type { FromHost, ToHost } from './host-protocol.ts';
import { createObjectPool } from './object-pool.ts';

type Command = Extract<ToHost, { readonly start: unknown }>['start'];
type Exit = Extract<FromHost, { readonly exit: unknown }>['exit'];

const MAX_STDERR_BYTES = 64 * 1024;
const KILL_AFTER_MS = 2_000;
// The kernel's limit is the only one that fetch has: no setting of git bounds what a fetch may bring (receive.maxInputSize is for pushes).
const LIMITED = 'ulimit -f "$0" && exec git "$@"';

const running = new Map<number, ChildProcess>();
const objects = createObjectPool();

process.on('message', (message: ToHost) => {
  if ('start' in message) start(message.id, message.start);
  else if ('read' in message) void objects.read(message.read).then((found) => answer({ id: message.id, objects: found }));
  else endGroup(running.get(message.id));
});
// The channel keeps this process alive; without it, what still runs does, and no longer than it takes to end.
process.on('disconnect', () => {
  objects.close();
  for (const child of running.values()) endGroup(child);
});
// A terminal's Ctrl-C reaches the whole group; whom we work for says when it is over.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);

function start(id: number, command: Command): void {
  const [file, args] =
    command.maxFileBytes === undefined ? ['git', command.args] : ['/bin/sh', ['-c', LIMITED, String(Math.ceil(command.maxFileBytes / 512)), ...command.args]];
  // Its own process group, so that ending it ends the transport and the unpacking under it too.
  const child = spawn(file, args, { cwd: '/', env: command.env, stdio: 'pipe', detached: true });
  running.set(id, child);
  void collect(child, command)
    .then(
      (exit): FromHost => ({ id, exit }),
      (error: unknown): FromHost => ({ id, error: error instanceof Error ? error.message : String(error) }),
    )
    .then((end) => {
      running.delete(id);
      answer(end);
    });
}

function answer(message: FromHost): void {
  // Nobody listens any more where it cannot be sent.
  if (process.connected) process.send?.(message, () => undefined);
}

function collect(child: ReturnType<typeof spawn>, command: Command): Promise<Exit> {
  return new Promise((resolve, reject) => {
    const { stdin, stdout, stderr } = child;
    if (!stdin || !stdout || !stderr) throw new TypeError('git was started without its pipes');
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let outBytes = 0;
    let errBytes = 0;
    let end: Exit['end'] = 'exit';
    const stop = (why: Exit['end']): void => {
      end = why;
      endGroup(child);
    };
    const timer = setTimeout(() => stop('timeout'), command.timeoutMs);

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

    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ end, code: code ?? -1, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() });
    });
  });
}

/** Asks first: git removes its lock files and temporary packs on SIGTERM. */
function endGroup(child: ChildProcess | undefined): void {
  const pid = child?.pid;
  if (pid === undefined || child?.exitCode !== null || child.signalCode !== null) return;
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
