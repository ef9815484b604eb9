import pLimit from 'p-limit';
import { GitError } from './git-error.ts';
import { createGitHost } from './git-host.ts';
import type { FoundObject, ReadRequest } from './host-protocol.ts';

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
  /**
   * Objects of a mirror by name, whose contents' hashes are their names, from a process that goes on running. Null where that cannot be told for
   * certain, for whatever reason. Throws the signal's reason when aborted.
   */
  read(request: ReadRequest, signal: AbortSignal | undefined): Promise<readonly FoundObject[] | null>;
  /** Ends every command that still runs. */
  close(): Promise<void>;
}

/**
 * Runs git itself, not through simple-git: that takes a child killed by a signal for a success with empty output, may answer before the output is
 * complete, cannot bound what it collects, waits 50 ms after a command that prints nothing, and signals git but not the ssh or index-pack under it.
 */
export function createGitRunner(): GitRunner {
  const lanes = { network: pLimit(16), local: pLimit(8) };
  const host = createGitHost();
  const running = new Set<Promise<unknown>>();
  const closing = new AbortController();

  return {
    run: ({ lane, onStart, signal: own, ...command }) =>
      lanes[lane](async () => {
        const signal = own ? AbortSignal.any([own, closing.signal]) : closing.signal;
        signal.throwIfAborted();
        onStart?.();
        const exit = host.run(command, signal);
        running.add(exit);
        try {
          const { stdout, ...rest } = await exit;
          signal.throwIfAborted();
          return { ...rest, stdout: Buffer.from(stdout.buffer, stdout.byteOffset, stdout.byteLength) };
        } finally {
          running.delete(exit);
        }
      }),
    read: async (request, own) => {
      const signal = own ? AbortSignal.any([own, closing.signal]) : closing.signal;
      signal.throwIfAborted();
      const reading = host.read(request, signal);
      running.add(reading);
      try {
        return await reading;
      } catch (error) {
        signal.throwIfAborted();
        // The process that starts git died, which whoever asks it next hears.
        if (error instanceof GitError) return null;
        throw error;
      } finally {
        running.delete(reading);
      }
    },
    close: async () => {
      closing.abort(new Error('the Git client was closed'));
      await Promise.allSettled(running);
      await host.close();
    },
  };
}
