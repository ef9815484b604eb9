import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { SinkError } from '../errors.ts';

export interface RateLimit {
  /** Waits for a turn. Throws `throttled` if that would take longer than `patienceMs`. */
  take(kind: 'request' | 'delete', perMinute: number, patienceMs: number, signal: AbortSignal): Promise<void>;
  /** No turn before then: the server has said so. */
  pauseUntil(at: number): void;
}

const WINDOW_MS = 60_000;
/** By the hash of the credential: all runs of a process share what one token may ask. */
const limits = new Map<string, { readonly limit: RateLimit; readonly lastAt: () => number }>();

/** The limit of one token at one server. */
export function rateLimitOf(server: string, token: string): RateLimit {
  const id = createHash('sha256').update(`${server}\0${token}`).digest('hex');
  const found = limits.get(id);
  if (found) return found.limit;
  // Tokens that were rotated away.
  for (const [key, { lastAt }] of limits) if (lastAt() < Date.now() - WINDOW_MS) limits.delete(key);
  const made = createRateLimit();
  limits.set(id, made);
  return made.limit;
}

/** At most so many turns in any minute, whichever minute the server counts by. */
function createRateLimit(): { readonly limit: RateLimit; readonly lastAt: () => number } {
  const turns: Record<'request' | 'delete', number[]> = { request: [], delete: [] };
  let pausedUntil = 0;

  return {
    lastAt: () => Math.max(pausedUntil, turns.request.at(-1) ?? Date.now()),
    limit: {
      take: async (kind, perMinute, patienceMs, signal) => {
        const taken = turns[kind];
        const now = Date.now();
        while ((taken[0] ?? now) <= now - WINDOW_MS) taken.shift();
        const at = Math.max(now, pausedUntil, (taken[taken.length - perMinute] ?? -WINDOW_MS) + WINDOW_MS);
        if (at - now > patienceMs) {
          const retryAfterMs = at - now;
          throw new SinkError('throttled', `the token has no request left for ${Math.ceil(retryAfterMs / 1000)} s; spread the projects over more tokens`, {
            retryAfterMs,
          });
        }
        // Before the wait, so that those who come later wait longer.
        taken.push(at);
        if (at > now) await delay(at - now, undefined, { signal });
      },
      pauseUntil: (at) => {
        pausedUntil = Math.max(pausedUntil, at);
      },
    },
  };
}
