import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { abortable } from '../abortable.ts';
import { SinkError } from '../errors.ts';
import type { Watch } from '../watchable.ts';
import { dial } from './dial.ts';
import { channelsOf, missingFlags, REQUIRED_FLAGS } from './keyspace-events.ts';
import type { Opened } from './open-connection.ts';
import type { Address } from './options.ts';
import { placeKeys } from './place-keys.ts';
import { cancelled, redisError } from './redis-error.ts';

/** How often a connection that nothing comes over is asked for a sign of life, and the cluster or the sentinels for who takes writes now. */
const CHECK_EVERY_MS = 15_000;
const CHANNELS_AT_ONCE = 500;

/** Keyspace notifications of every server that takes writes, each over one connection that does nothing else. */
export function createWatch(name: string, { connection, primaries, optionsOf }: Opened, checkEveryMs = CHECK_EVERY_MS): Watch {
  const lost = (): SinkError => new SinkError('unavailable', `${name}: the connection that tells of changes was lost`);
  const notSetUp = (what: string): SinkError => new SinkError('unsupported', `${name}: it does not tell of changes, so that its targets are polled; ${what}`);

  async function inParts(channels: readonly string[], subscribe: (part: readonly string[]) => Promise<unknown>): Promise<void> {
    for (let from = 0; from < channels.length; from += CHANNELS_AT_ONCE) {
      const part = channels.slice(from, from + CHANNELS_AT_ONCE);
      await subscribe(part).catch((error: unknown) => {
        if (!isDenied(error)) throw error;
        const more = part.length > 1 ? `, or to one of ${part.length - 1} more` : '';
        throw notSetUp(`the user may not subscribe to ${part[0]}${more}; docs/sinks/redis.md has the ACL`);
      });
    }
  }

  return async (places, onChange, signal) => {
    const over = new AbortController();
    const failed = Promise.withResolvers<never>();
    const clients: Redis[] = [];
    const probed = new Set<string>();
    const probe = placeKeys(places[0]?.name ?? '').guard;

    /** Gives whether the server says how it is set. */
    async function subscribe(at: Address): Promise<'told' | 'not told'> {
      const { db = 0, ...options } = await optionsOf(at);
      const client = await dial({ ...options, db }, (made) => {
        clients.push(made);
        if (over.signal.aborted) made.disconnect();
      });
      client.once('end', () => failed.reject(lost()));
      const flags = await flagsOf(client);
      const missing = missingFlags(flags ?? REQUIRED_FLAGS);
      if (missing !== '') throw notSetUp(`CONFIG SET notify-keyspace-events ${flags}${missing} adds what is missing (${missing}), in redis.conf too`);

      const { exact, patterns, channelOf } = channelsOf(places, db);
      client.on('message', (channel: string, event: string) => {
        if (channel === channelOf(probe)) probed.add(event);
        for (const place of exact.get(channel) ?? []) onChange(place);
      });
      client.on('pmessage', (pattern: string, channel: string) => {
        for (const { place, own } of patterns.get(pattern) ?? []) if (!own.has(channel)) onChange(place);
      });
      await inParts([channelOf(probe), ...exact.keys()], (part) => client.subscribe(...part));
      await inParts([...patterns.keys()], (part) => client.psubscribe(...part));
      return flags === undefined ? 'not told' : 'told';
    }

    /** Makes and deletes a key that is never there, in one step that only its events show. */
    async function proveEvents(): Promise<void> {
      await connection.script(name, PROBE, [probe], [], over.signal);
      // What the script has published stands before the answer to this.
      await Promise.all(clients.map((client) => client.ping()));
      const unseen = PROBE_EVENTS.filter((event) => !probed.has(event));
      if (unseen.length === 0) return;
      const what = unseen.length === PROBE_EVENTS.length ? 'no event came' : `no event of ${unseen.join(', ')} came`;
      throw notSetUp(`${what}, and the user may not see how it is set: CONFIG SET notify-keyspace-events ${REQUIRED_FLAGS}, in redis.conf too`);
    }

    async function keepAlive(known: string): Promise<never> {
      for (;;) {
        await delay(checkEveryMs, undefined, { signal: over.signal, ref: false });
        await Promise.all(clients.map((client) => client.ping()));
        if (textOf(await primaries()) !== known) throw new SinkError('unavailable', `${name}: other servers take its writes now`);
      }
    }

    async function run(): Promise<void> {
      const servers = await primaries();
      const known = await Promise.all(servers.map(subscribe));
      if (known.includes('not told')) await proveEvents();
      for (const place of places) onChange(place);
      await keepAlive(textOf(servers));
    }

    try {
      const work = run();
      work.catch(() => undefined);
      failed.promise.catch(() => undefined);
      await abortable(
        signal,
        () => cancelled(name),
        () => Promise.race([work, failed.promise]),
      );
    } catch (error) {
      throw error instanceof SinkError ? error : redisError(name, error);
    } finally {
      over.abort();
      await Promise.all(clients.map(disconnect));
    }
  };
}

const PROBE_EVENTS = ['set', 'del', 'hset'];
const PROBE = `redis.call('SET', KEYS[1], '')
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'a', '')
redis.call('DEL', KEYS[1])
return {}`;

/** Undefined where the user may not ask, or nobody may. */
async function flagsOf(client: Redis): Promise<string | undefined> {
  try {
    const [, flags = ''] = (await client.config('GET', 'notify-keyspace-events')) as readonly string[];
    return flags;
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') return undefined;
    throw error;
  }
}

function isDenied(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError' && error.message.includes('NOPERM');
}

function textOf(servers: readonly Address[]): string {
  return servers
    .map(({ host, port }) => `${host} ${port}`)
    .toSorted()
    .join();
}

async function disconnect(client: Redis): Promise<void> {
  if (client.status === 'end') return;
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  client.once('end', resolve);
  client.disconnect();
  await ended;
}
