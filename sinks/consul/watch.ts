import { setTimeout as delay } from 'node:timers/promises';
import { inParallel } from '../cas/in-parallel.ts';
import type { Place } from '../sink.ts';
import type { Watch } from '../watchable.ts';
import type { ConsulClient, Standing } from './client.ts';
import { askedFor, groupPlaces, type WatchGroup } from './watch-groups.ts';

/** Queries that wait at the same time, each in a connection; an agent takes 200 from one address (`http_max_conns_per_client`). */
const MAX_QUERIES = 64;
/** Of the places of a group, to find out which one changed. */
const MORE_SOCKETS = 16;

/** Load balancers that cut what is silent for a minute are common. */
const WAIT_MS = 50_000;
/** A query for what is not there comes back with every write in the store, and one for a busy folder with each of its own. */
const PAUSE_MS = 250;
const PAUSE_FOR_EACH_PLACE_MS = 5;

/** Blocking queries, over the connections of a client that does nothing else. */
export function createWatch(open: (maxSockets: number) => ConsulClient): Watch {
  async function follow({ asked, places }: WatchGroup, client: ConsulClient, onChange: (place: Place) => void, signal: AbortSignal): Promise<never> {
    const label = `consul ${'key' in asked ? asked.key : asked.prefix}`;
    const before = new Map<Place, string>();
    const pauseMs = Math.max(PAUSE_MS, places.length * PAUSE_FOR_EACH_PLACE_MS);
    const tellIfMoved = (place: Place, now: Standing): void => {
      const state = now.isThere ? now.index : 'absent';
      if (before.get(place) === state) return;
      before.set(place, state);
      onChange(place);
    };
    let index: string | null = null;
    for (;;) {
      const now: Standing = await client.ask(label, asked, index === null ? null : { index, waitMs: WAIT_MS }, signal);
      if (now.index !== index) {
        const [only] = places;
        if (places.length === 1 && only) tellIfMoved(only, now);
        else await inParallel(places, async (place) => tellIfMoved(place, await client.ask(`consul ${place.name}`, askedFor(place), null, signal)));
      }
      // An index that went back is of a store that was set back, or of deletions that it has forgotten: asked with it, Consul would wait for the old one.
      index = index !== null && BigInt(now.index) < BigInt(index) ? null : now.index;
      await delay(pauseMs, undefined, { signal });
    }
  }

  return async (places, onChange, signal) => {
    const client = open(MAX_QUERIES + MORE_SOCKETS);
    const over = new AbortController();
    const stop = AbortSignal.any([signal, over.signal]);
    const queries = groupPlaces(places, MAX_QUERIES).map((group) => follow(group, client, onChange, stop));
    try {
      await Promise.race(queries);
    } finally {
      over.abort();
      await client.close();
      await Promise.allSettled(queries);
    }
  };
}
