import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../clients/logger.ts';
import type { Temporal } from '../clients/temporal.ts';

export interface TemporalLink {
  /** Throws while there is no connection. */
  readonly temporal: () => Temporal;
  close(): Promise<void>;
}

/**
 * Connects in the background and goes on trying: an api that starts before Temporal answers 503, which a forge may retry, instead of refusing
 * connections. Once made, the connection mends itself.
 */
export function createTemporalLink(connect: () => Promise<Temporal>, logger: Logger, retryMs = 2_000): TemporalLink {
  const closing = new AbortController();
  let connected: Temporal | null = null;

  async function keepTrying(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        const temporal = await connect();
        if (closing.signal.aborted) return await temporal.close();
        connected = temporal;
        return logger.info({ namespace: temporal.namespace }, 'connected to Temporal');
      } catch (err) {
        logger.warn({ err }, 'there is no connection to Temporal yet; webhooks are answered 503');
        await delay(retryMs, undefined, { signal: closing.signal }).catch(() => undefined);
      }
    }
  }
  void keepTrying();

  return {
    temporal() {
      if (!connected) throw new Error('there is no connection to Temporal yet');
      return connected;
    },
    async close() {
      closing.abort();
      // An attempt that is under way may take as long as its timeout; it closes by itself what it still opens.
      await connected?.close();
    },
  };
}
