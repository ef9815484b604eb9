import { setTimeout as delay } from 'node:timers/promises';
import type { Client, ClientChannel } from 'ssh2';
import { SinkError } from '../errors.ts';
import { BOOT } from './scripts.ts';

export interface ChannelRequest {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/** A refusal of the network's or of the server's resources, not of its rules (RFC 4254, 5.1). */
const PASSING = new Set<unknown>([2, 4]);
const FIRST_PAUSE_MS = 20;
const MAX_PAUSE_MS = 500;

/**
 * A channel on which a script of ours runs. sshd counts a channel for a while after it was closed, so one that is refused for want of room is asked for
 * again as long as the call may take.
 */
export async function openChannel(client: Client, request: ChannelRequest): Promise<ClientChannel> {
  const until = performance.now() + request.timeoutMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    try {
      return await attempt(client, until - performance.now(), request.timeoutMs);
    } catch (error) {
      const { cause } = error as SinkError;
      if (!PASSING.has((cause as { reason?: unknown } | undefined)?.reason) || performance.now() + pauseMs > until) throw error;
      await delay(pauseMs, undefined, { signal: request.signal }).catch(() => undefined);
      if (request.signal.aborted) throw new SinkError('unavailable', 'the call was cancelled');
    }
  }
}

async function attempt(client: Client, leftMs: number, timeoutMs: number): Promise<ClientChannel> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
  const lost = (): void => reject(new SinkError('unavailable', 'the connection was lost'));
  const timer = setTimeout(() => reject(new SinkError('unavailable', `no channel within ${timeoutMs / 1000} s`)), leftMs);
  client.once('close', lost);
  try {
    // Quoted for any login shell: the text holds no quote, no exclamation mark and no line break.
    client.exec(`sh -c '${BOOT}'`, (error, channel) => {
      if (error) reject(new SinkError('unavailable', `no channel: ${error.message}`, { cause: error }));
      else resolve(channel);
    });
    return await promise;
  } catch (error) {
    throw error instanceof SinkError ? error : new SinkError('unavailable', 'the connection was lost', { cause: error });
  } finally {
    clearTimeout(timer);
    client.off('close', lost);
  }
}
