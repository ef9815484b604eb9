import { createHash } from 'node:crypto';
import type { Redis, RedisOptions as ClientOptions } from 'ioredis';
import { SinkError } from '../errors.ts';
import { abortable } from '../abortable.ts';
import { dial } from './dial.ts';
import { cancelled, redisError, TIMED_OUT } from './redis-error.ts';

export type Argument = string | Buffer;
export type Command = readonly [name: string, ...args: Argument[]];

export interface Connection {
  /**
   * Runs the commands in one MULTI and one round trip. A reply is a buffer, a number, null, an array of these, or an Error of that command alone.
   * Throws SinkError; `label` begins its message.
   */
  transaction(label: string, commands: readonly Command[], signal: AbortSignal): Promise<readonly unknown[]>;
  /** Runs a script by its digest, and sends its text where the server does not know it. Throws SinkError. */
  script(label: string, text: string, keys: readonly string[], args: readonly Argument[], signal: AbortSignal): Promise<readonly unknown[]>;
  close(): Promise<void>;
}

/** A connection to one server. */
export interface ServerConnection extends Connection {
  /** Runs one command outside of a transaction, for what a place is not concerned with. Throws SinkError. */
  command(label: string, command: Command, signal: AbortSignal): Promise<unknown>;
}

/**
 * One client that dials when it is first needed and again when a call finds it lost. It never repeats a command: whether a write whose answer was
 * lost is to be tried again is for the run to say, and the script then finds its own mark in the ledger.
 */
export function createConnection(clientOptions: () => Promise<ClientOptions>): ServerConnection {
  let current: Promise<Redis> | undefined;
  /** What `current` came to. */
  let dialled: Redis | undefined;
  let latest: Redis | undefined;
  let closed = false;

  function connected(): Promise<Redis> {
    // The client says that it has ended a moment after it has, and a caller that tries again at once would meet it again.
    if (current && (dialled === undefined || dialled.status === 'ready')) return current;
    const dialling = clientOptions().then((options) => dial(options, (client) => (latest = client)));
    const forget = (): void => {
      if (current === dialling) [current, dialled] = [undefined, undefined];
    };
    [current, dialled] = [dialling, undefined];
    dialling.then((client) => {
      if (current === dialling) dialled = client;
      if (client.status === 'ready') client.once('end', forget);
      else forget();
    }, forget);
    return dialling;
  }

  async function run<Reply>(label: string, work: (client: Redis) => Promise<Reply>, signal: AbortSignal): Promise<Reply> {
    if (closed) throw new SinkError('unavailable', `${label}: the connection was closed`);
    try {
      return await abortable(
        signal,
        () => cancelled(label),
        () => connected().then(work),
      );
    } catch (error) {
      if (error instanceof SinkError) throw error;
      // A server that does not answer may be gone without a word, and one that was demoted is another's replica; the next call dials anew.
      if (error instanceof Error && (error.message === TIMED_OUT || error.message.includes('READONLY'))) latest?.disconnect();
      throw redisError(label, error);
    }
  }

  return {
    transaction: (label, commands, signal) =>
      run(
        label,
        async (client) => {
          // Sent in one tick, so that no other call of this connection gets in between.
          const sent = [['MULTI'] as const, ...commands, ['EXEC'] as const].map(([command, ...args]) => client.callBuffer(command, args));
          const outcomes = await Promise.allSettled(sent);
          // A command that is refused while it is queued says why; EXEC then only says that it was aborted.
          const refused = outcomes.find((outcome) => outcome.status === 'rejected');
          if (refused) throw refused.reason;
          const replies = await sent.at(-1);
          if (!Array.isArray(replies)) throw new Error('EXEC gave no replies');
          return replies;
        },
        signal,
      ),

    script: (label, text, keys, args, signal) =>
      run(
        label,
        async (client) => {
          const rest = [String(keys.length), ...keys, ...args];
          const sha = createHash('sha1').update(text).digest('hex');
          const reply = await client.callBuffer('EVALSHA', [sha, ...rest]).catch((error: unknown) => {
            if (error instanceof Error && error.message.startsWith('NOSCRIPT')) return client.callBuffer('EVAL', [text, ...rest]);
            throw error;
          });
          if (!Array.isArray(reply)) throw new Error('the script gave no reply');
          return reply;
        },
        signal,
      ),

    command: (label, [name, ...args], signal) => run(label, (client) => client.callBuffer(name, args), signal),

    close: async () => {
      closed = true;
      latest?.disconnect();
      await current?.catch(() => undefined);
    },
  };
}
