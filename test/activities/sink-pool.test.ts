import { setTimeout as later } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createSinkPool, type SinkPoolOptions } from '../../activities/sink-pool.ts';
import type { Bundle, SinkConnection } from '../../domain/bundle.ts';
import { createFingerprint } from '../../clients/fingerprint.ts';
import { SinkError, type SinkErrorReason } from '../../sinks/errors.ts';
import type { Place, Sink, SinkContext, SinkDefinition } from '../../sinks/sink.ts';
import { sinkDefinitions } from '../../sinks/registry.ts';

afterEach(() => void vi.useRealTimers());

describe('connections of a worker', () => {
  test('are made on first use, once for each sink, also when many ask at the same time', async () => {
    const it = poolOf();
    const sinks = await Promise.all(Array.from({ length: 10 }, () => it.get({ options: { a: 1 } })));
    expect(new Set(sinks).size).toBe(1);
    expect(it.connected).toEqual([]);
    await Promise.all(sinks.map((sink) => read(sink)));
    expect(it.connected).toEqual([{ a: 1 }]);
  });

  test('are made anew and the old one closed when a reload changed their options', async () => {
    const it = poolOf();
    await read(await it.get({ options: { a: 1 } }));
    await read(await it.get({ options: { a: 1 } }));
    await read(await it.get({ options: { a: 2 } }));
    expect(it.connected).toEqual([{ a: 1 }, { a: 2 }]);
    await expect.poll(() => it.closed).toEqual([{ a: 1 }]);
  });

  test('are not kept when they could not be made, and are dropped on request', async () => {
    const it = poolOf({ failures: 1 });
    const sink = await it.get();
    await expect(read(sink)).rejects.toThrow('not yet');
    await read(sink);
    it.pool.drop('acme', 'cache');
    await read(sink);
    expect(it.connected).toHaveLength(3);
  });

  test('that are dropped are closed when the last call on them is over', async () => {
    const it = poolOf({ hangs: true });
    const sink = await it.get();
    const call = read(sink);
    await expect.poll(() => it.hanging.length).toBe(1);
    it.pool.drop('acme', 'cache');
    expect(it.closed).toEqual([]);
    it.hanging[0]?.('answers');
    await call;
    await expect.poll(() => it.closed).toHaveLength(1);
  });

  test('are closed when nobody used them for a while, and made again for the next call', async () => {
    vi.useFakeTimers();
    const it = poolOf();
    const sink = await it.get({ idleMs: 1_000 });
    await read(sink);
    await vi.advanceTimersByTimeAsync(900);
    await read(sink);
    await vi.advanceTimersByTimeAsync(900);
    expect(it.closed).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(100);
    expect(it.closed).toHaveLength(1);
    await read(sink);
    expect(it.connected).toHaveLength(2);
  });

  test('stay open for ever where the bundle says so', async () => {
    vi.useFakeTimers();
    const it = poolOf();
    await read(await it.get({ idleMs: null }));
    await vi.advanceTimersByTimeAsync(24 * 3_600_000);
    expect(it.closed).toHaveLength(0);
  });

  test('of before a reload that are used once more last only as long as that call', async () => {
    const it = poolOf({ hangs: true });
    const former = await it.get({ options: 1, idleMs: null });
    const current = await it.get({ options: 2 });
    const calls = [read(current), read(former), read(former)];
    await expect.poll(() => it.hanging.length).toBe(3);
    it.hanging.pop()?.('answers');
    await calls.pop();
    expect(it.closed).toEqual([]);
    for (const answer of it.hanging) answer('answers');
    await Promise.all(calls);
    await expect.poll(() => it.closed).toEqual([1]);
    expect(it.connected).toHaveLength(2);
  });

  test('of before a reload are not made any more once all are closed', async () => {
    const it = poolOf();
    const former = await it.get({ options: 1 });
    for (const options of [2, 3, 4]) await read(await it.get({ options }));
    await expect.poll(() => it.closed).toEqual([2, 3]);
    await it.pool.close();
    await expect(read(former)).rejects.toThrow('the worker closes its connections');
    expect(it.connected).toEqual([2, 3, 4]);
  });

  test('to a sink that the bundle does not have are an error that names it', async () => {
    const it = poolOf();
    await expect(it.pool.get(bundleOf({}), 'acme', 'other')).rejects.toThrow('tenant acme has no sink other');
  });

  test('are all closed in the end, in use or not', async () => {
    const it = poolOf({ hangs: true });
    const [inUse, outdated] = [await it.get({ options: 2 }), await it.get({ options: 1 })];
    const calls = [read(inUse), read(outdated)];
    await expect.poll(() => it.hanging.length).toBe(2);
    await it.pool.close();
    expect(it.closed).toHaveLength(2);
    for (const answer of it.hanging) answer('answers');
    await Promise.all(calls);
    await expect(read(inUse)).rejects.toMatchObject({ reason: 'unavailable' });
    expect(it.connected).toHaveLength(2);
  });
});

describe('a sink that hangs', () => {
  test('gets as many calls at the same time as the bundle says, and the others in order', async () => {
    const it = poolOf({ hangs: true });
    const sink = await it.get({ concurrency: 2 });
    const calls = ['a', 'b', 'c', 'd'].map((name) => read(sink, name));
    await expect.poll(() => it.places).toEqual(['a', 'b']);
    it.hanging[0]?.('answers');
    await expect.poll(() => it.places).toEqual(['a', 'b', 'c']);
    it.hanging[1]?.('answers');
    it.hanging[2]?.('answers');
    await expect.poll(() => it.places).toEqual(['a', 'b', 'c', 'd']);
    it.hanging[3]?.('answers');
    await Promise.all(calls);
  });

  test('does not keep those who wait: they are sent away as soon as it is plain that all its calls hang, and later ones at once', async () => {
    const it = poolOf({ hangs: true, patienceMs: 50 });
    const sink = await it.get({ concurrency: 1 });
    const first = read(sink);
    await expect.poll(() => it.hanging.length).toBe(1);
    await expect(read(sink)).rejects.toMatchObject({ reason: 'throttled', message: expect.stringContaining('tenant acme, sink cache: all 1 calls') });
    const started = performance.now();
    await expect(read(sink)).rejects.toMatchObject({ reason: 'throttled' });
    expect(performance.now() - started).toBeLessThan(25);
    it.hanging[0]?.('answers');
    await first;
    const second = read(sink);
    await expect.poll(() => it.hanging.length).toBe(2);
    it.hanging[1]?.('answers');
    await second;
  });

  test('keeps those who wait as long as its calls come to an end, however many they are', async () => {
    const it = poolOf({ delayMs: 100, patienceMs: 600 });
    const sink = await it.get({ concurrency: 1 });
    await Promise.all(Array.from({ length: 10 }, () => read(sink)));
    expect(it.places).toHaveLength(10);
  });

  test('lets go of a call that is cancelled while it waits, without having tried it', async () => {
    const it = poolOf({ hangs: true });
    const sink = await it.get({ concurrency: 1 });
    const first = read(sink);
    await expect.poll(() => it.hanging.length).toBe(1);
    const abort = new AbortController();
    const second = read(sink, 'second', abort.signal);
    abort.abort();
    await expect(second).rejects.toMatchObject({ reason: 'unavailable', message: expect.stringContaining('while it waited') });
    await expect(read(sink, 'third', AbortSignal.abort())).rejects.toMatchObject({ reason: 'unavailable' });
    it.hanging[0]?.('answers');
    await first;
    expect(it.places).toEqual(['place']);
  });

  test('does not touch the calls of another sink', async () => {
    const it = poolOf({ hangs: true, patienceMs: 20 });
    const [one, other] = [await it.get({ concurrency: 1 }, 'cache'), await it.get({ concurrency: 1 }, 'store')];
    const calls = [read(one), read(other)];
    await expect.poll(() => it.hanging.length).toBe(2);
    for (const answer of it.hanging) answer('answers');
    await Promise.all(calls);
  });
});

describe('a sink that does not answer', () => {
  const circuit = { failures: 3, waitMs: 1_000, longestWaitMs: 4_000, probeMs: 60_000 };

  test('is not asked any more after some failures in a row, and says since when, until when, and what the last failure was', async () => {
    const it = poolOf({ circuit, fails: 'unavailable' });
    const sink = await it.get();
    for (let call = 0; call < 3; call++) await expect(read(sink)).rejects.toThrow('as the test says');
    const refused = await read(sink).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(SinkError);
    expect(refused).toMatchObject({
      reason: 'unavailable',
      message:
        'tenant acme, sink cache: circuit open: no answer since 1970-01-01T00:00:10.000Z, the next try is at 1970-01-01T00:00:11.000Z; the last failure was: as the test says',
    });
    const { retryAfterMs = 0 } = refused as SinkError;
    expect(retryAfterMs).toBeGreaterThanOrEqual(1_000);
    expect(retryAfterMs).toBeLessThanOrEqual(1_200);
    expect(it.places).toHaveLength(3);
    expect(it.circuits).toEqual(['open']);
  });

  test('is asked once when the wait is over; if that fails too the wait is longer, and one answer closes the circuit', async () => {
    const it = poolOf({ circuit, fails: 'unavailable' });
    const sink = await it.get();
    for (let call = 0; call < 3; call++) await read(sink).catch(() => undefined);
    it.clock.now += 1_000;
    const both = await Promise.allSettled([read(sink), read(sink)]);
    expect(both.map((each) => (each.status === 'rejected' ? (each.reason as Error).message : ''))).toEqual([
      'as the test says',
      expect.stringContaining('one call is finding out whether it is back'),
    ]);
    it.clock.now += 1_999;
    await expect(read(sink)).rejects.toThrow('circuit open');
    it.answers();
    it.clock.now += 1;
    await read(sink);
    await read(sink);
    expect(it.circuits).toEqual(['open', 'half-open', 'open', 'half-open', 'closed']);
  });

  test.each(['conflict', 'unauthorized', 'rejected', 'throttled', 'too-large'] as const)('is not one that answers "%s"', async (reason) => {
    const it = poolOf({ circuit, fails: reason });
    const sink = await it.get();
    for (let call = 0; call < 10; call++) await expect(read(sink)).rejects.toMatchObject({ reason });
    expect(it.places).toHaveLength(10);
  });

  test('is not one with a single place that fails while others answer, whose circuit opens once others fail too', async () => {
    const it = poolOf({ circuit, failsAt: ['locked', 'other'] });
    const sink = await it.get();
    await read(sink, 'well');
    for (let call = 0; call < 10; call++) await expect(read(sink, 'locked')).rejects.toThrow('as the test says');
    await read(sink, 'well');
    expect(it.circuits).toEqual([]);
    for (let call = 0; call < 3; call++) await expect(read(sink, call % 2 ? 'locked' : 'other')).rejects.toThrow('as the test says');
    await expect(read(sink, 'locked')).rejects.toThrow('as the test says');
    await expect(read(sink, 'well')).rejects.toThrow('circuit open');
  });

  test('is not one whose calls were cancelled', async () => {
    const it = poolOf({ circuit, hangs: true });
    const sink = await it.get();
    for (let call = 0; call < 5; call++) {
      const abort = new AbortController();
      const cancelled = read(sink, 'place', abort.signal);
      await expect.poll(() => it.hanging.length).toBe(call + 1);
      abort.abort();
      it.hanging[call]?.('fails');
      await expect(cancelled).rejects.toThrow('as the test says');
    }
    expect(it.circuits).toEqual([]);
  });

  test('counts its calls by how they ended', async () => {
    const it = poolOf({ circuit, fails: 'unavailable' });
    const sink = await it.get();
    for (let call = 0; call < 4; call++) await read(sink).catch(() => undefined);
    await sink.restore(place('place'), 1, context(AbortSignal.abort())).catch(() => undefined);
    expect(it.calls).toEqual(['read unavailable', 'read unavailable', 'read unavailable', 'read refused-open', 'restore cancelled']);
  });
});

type Answer = (how: 'answers' | 'fails') => void;

interface Double extends Pick<SinkPoolOptions, 'circuit' | 'patienceMs'> {
  /** Connections that cannot be made before one can. */
  readonly failures?: number;
  readonly hangs?: boolean;
  readonly delayMs?: number;
  readonly fails?: SinkErrorReason;
  readonly failsAt?: readonly string[];
}

function poolOf({ failures = 0, hangs = false, delayMs = 0, fails, failsAt = [], ...options }: Double = {}) {
  const connected: unknown[] = [];
  const closed: unknown[] = [];
  const hanging: Answer[] = [];
  const places: string[] = [];
  const calls: string[] = [];
  const circuits: string[] = [];
  const clock = { now: 10_000 };
  let reason = fails;

  async function call(name: string): Promise<never> {
    places.push(name);
    if (delayMs > 0) await later(delayMs);
    if (reason !== undefined) throw new SinkError(reason, 'as the test says');
    if (failsAt.includes(name)) throw new SinkError('unavailable', 'as the test says');
    if (hangs) {
      const { promise, resolve } = Promise.withResolvers<string>();
      hanging.push(resolve);
      if ((await promise) === 'fails') throw new SinkError('unavailable', 'as the test says');
    }
    return {} as never;
  }

  const definition: SinkDefinition = {
    ...(sinkDefinitions.redis as SinkDefinition),
    connect(given) {
      connected.push(given);
      if (connected.length <= failures) return Promise.reject(new Error('not yet'));
      return Promise.resolve({
        read: ({ name }) => call(name),
        apply: ({ name }) => call(name),
        restore: ({ name }) => call(name),
        close() {
          closed.push(given);
          return Promise.resolve();
        },
      });
    },
  };
  const observer = {
    called: (_name: unknown, operation: string, outcome: string) => void calls.push(`${operation} ${outcome}`),
    circuitChanged: (_name: unknown, state: string) => void circuits.push(state),
  };
  const pool = createSinkPool({ fake: definition }, () => Promise.resolve(''), { ...options, observer, now: () => clock.now });
  const get = (connection: Partial<SinkConnection> = {}, name = 'cache'): Promise<Sink> => pool.get(bundleOf(connection), 'acme', name);
  return { pool, get, connected, closed, hanging, places, calls, circuits, clock, answers: () => void (reason = undefined) };
}

function read(sink: Sink, name = 'place', signal = AbortSignal.timeout(30_000)): Promise<unknown> {
  return sink.read(place(name), context(signal));
}

function place(name: string): Place {
  return { name, layout: 'hash', fields: {} };
}

function context(signal: AbortSignal): SinkContext {
  return { signal, keys: [], fingerprint: createFingerprint(undefined) };
}

function bundleOf(connection: Partial<SinkConnection>): Bundle {
  const sink: SinkConnection = { options: {}, ...connection, kind: 'fake' };
  const tenant = { repositories: {}, secretManagers: {}, rules: {}, sinks: { cache: sink, store: sink } };
  return { settings: { allowFileRepositories: false }, tenants: { acme: tenant } };
}
