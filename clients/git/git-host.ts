import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { GitError } from './git-error.ts';
import type { FoundObject, FromHost, ReadRequest, ToHost } from './host-protocol.ts';

export type HostCommand = Extract<ToHost, { readonly start: unknown }>['start'];
export type HostExit = Extract<FromHost, { readonly exit: unknown }>['exit'];

/** A small process beside this one that starts git. */
export interface GitHost {
  /** Ends the command when the signal is aborted, and answers when it has ended. Throws `unavailable` where git or the host cannot run. */
  run(command: HostCommand, signal: AbortSignal): Promise<HostExit>;
  /** Objects of a mirror by name, in that order; null where that cannot be told for certain. Throws the signal's reason. */
  read(request: ReadRequest, signal: AbortSignal): Promise<readonly FoundObject[] | null>;
  close(): Promise<void>;
}

interface Waiting {
  readonly resolve: (answer: FromHost) => void;
  readonly reject: (error: GitError) => void;
}

interface Host {
  readonly process: ChildProcess;
  readonly waiting: Map<number, Waiting>;
}

/**
 * Starts git through a process of its own: Linux copies the page tables of a process that starts another, and a worker has hundreds of megabytes
 * (measured: 11 ms at 240 MB, 25 ms at 400 MB, in which nothing else of the process runs; 1 ms in a small one).
 */
export function createGitHost(): GitHost {
  let current: Host | undefined;
  let ids = 0;

  function host(): Host {
    if (current?.process.connected) return current;
    const child = fork(new URL('host-process.ts', import.meta.url), {
      cwd: '/',
      env: {},
      execArgv: [],
      // Not in this process's group: a Ctrl-C is not for it, it ends when the channel does.
      detached: true,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const waiting = new Map<number, Waiting>();
    const started: Host = { process: child, waiting };
    const settle = (id: number): Waiting | undefined => {
      const found = waiting.get(id);
      waiting.delete(id);
      // Alone, it does not keep this process alive.
      if (waiting.size === 0) child.channel?.unref();
      return found;
    };
    const lost = (why: string): void => {
      if (current === started) current = undefined;
      for (const id of waiting.keys()) settle(id)?.reject(new GitError('unavailable', `the process that starts git ${why}; it is tried again`));
    };
    child.on('message', (message: FromHost) => {
      const found = settle(message.id);
      if ('error' in message) found?.reject(new GitError('unavailable', `git could not be started (${message.error}); install git`));
      else found?.resolve(message);
    });
    child.on('error', (error) => lost(`does not answer (${error.message})`));
    child.on('disconnect', () => lost('ended'));
    child.on('exit', () => lost('ended'));
    child.unref();
    child.channel?.unref();
    current = started;
    return started;
  }

  function ask(id: number, message: ToHost): Promise<FromHost> {
    const { process: child, waiting } = host();
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      child.channel?.ref();
      send(child, message);
    });
  }

  return {
    run: async (command, signal) => {
      const id = ids++;
      const cancel = (): void => {
        if (current) send(current.process, { id, cancel: true });
      };
      signal.addEventListener('abort', cancel, { once: true });
      try {
        const answer = await ask(id, { id, start: command });
        if (!('exit' in answer)) throw new TypeError('the process that starts git answered something else');
        return answer.exit;
      } finally {
        signal.removeEventListener('abort', cancel);
      }
    },
    read: async (request, signal) => {
      const id = ids++;
      const answer = await ask(id, { id, read: request });
      signal.throwIfAborted();
      return 'objects' in answer ? answer.objects : null;
    },
    close: async () => {
      const child = current?.process;
      current = undefined;
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.ref();
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

/** One that cannot be sent to has ended, which those who wait are told by its end. */
function send(child: ChildProcess, message: ToHost): void {
  child.send(message, () => undefined);
}
