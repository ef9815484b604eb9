import { CompleteAsyncError } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, describe, expect, it } from 'vitest';
import type { SubscribedTarget } from '../../activities/subscribed-targets.ts';
import { createWatchActivities, type WatchTimes } from '../../activities/watch-tenant.ts';
import type { SubscriptionState } from '../../activities/watch-observer.ts';
import type { Bundle, Rule } from '../../domain/bundle.ts';
import { SinkError } from '../../sinks/errors.ts';
import { createWatchedSink, fingerprint, type WatchedSink } from './watched-sink.ts';

const NEVER = 1_000_000;
const times: WatchTimes = { firstMs: 10, longestMs: 40, healthyMs: NEVER, refusedMs: NEVER, heartbeatMs: 20, refreshMs: NEVER };
const running: Watch[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((watch) => watch.stop()));
});

describe('the watch of a tenant', () => {
  it('tells of a foreign edit within a moment, and only of that target', async () => {
    const { sink, heard } = await watchOf(['a', 'b']);
    sink.edit('a', { key: 'foreign' });
    await expect.poll(heard).toEqual(['a']);
  });

  it('says nothing of our own writes, of strangers beside our keys, of ignored keys and of a write under way', async () => {
    const { sink, heard } = await watchOf(['a', 'b']);
    const before = sink.reads().length;
    sink.write('a', { key: 'newer', other: '1' });
    await expect.poll(() => sink.reads().length).toBe(before + 1);
    sink.edit('a', { stranger: 'x', 'runtime.x': 'y' });
    await expect.poll(() => sink.reads().length).toBe(before + 2);
    sink.edit('a', { key: 'half' });
    sink.begin('a');
    await expect.poll(() => sink.reads().length).toBe(before + 3);
    sink.edit('b', { key: 'foreign' });
    await expect.poll(heard).toEqual(['b']);
  });

  it('reads a place once for a burst of changes, and tells of it once', async () => {
    const { sink, heard } = await watchOf(['a']);
    const before = sink.reads().length;
    for (let change = 0; change < 10_000; change++) sink.edit('a', { key: `foreign ${change}` });
    await expect.poll(heard).toEqual(['a']);
    expect(sink.reads().length).toBe(before + 1);
  });

  it('does not wait for the end of changes that never end', async () => {
    const { sink, heard } = await watchOf(['a']);
    const storm = setInterval(() => sink.edit('a', { key: 'foreign' }), 5);
    await expect.poll(heard).toEqual(['a']);
    clearInterval(storm);
  });

  it('tells of many targets that change at the same time in one signal', async () => {
    const names = Array.from({ length: 300 }, (_, index) => `p${index}`);
    const { sink, heard, signals } = await watchOf(names);
    for (const name of names) sink.edit(name, { key: 'foreign' });
    await expect.poll(() => heard().length).toBe(300);
    expect(signals().length).toBeLessThan(10);
    expect(new Set(heard())).toEqual(new Set(names));
  });

  it('tells when a ledger is gone that was there, and not of places that never had one', async () => {
    const { sink, heard } = await watchOf(['a', 'b'], { written: ['a'] });
    sink.edit('b', { key: 'of a stranger' });
    sink.removeLedger('a');
    await expect.poll(heard).toEqual(['a']);
  });

  it('catches up on what changed before it stood', async () => {
    const sink = createWatchedSink();
    sink.write('a', { key: 'ours' });
    sink.write('b', { key: 'ours' });
    sink.edit('b', { key: 'foreign' });
    const { heard } = await watchOf(['a', 'b'], { sink, written: [] });
    await expect.poll(heard).toEqual(['b']);
  });

  it('begins again when the subscription was lost, as often as it takes, and catches up', async () => {
    const { sink, heard, states, logged } = await watchOf(['a']);
    sink.refuse(new SinkError('unavailable', 'down'));
    sink.lose(new SinkError('unavailable', 'down'));
    await expect.poll(() => sink.begun()).toBeGreaterThan(3);
    expect(states()).toEqual({});
    sink.edit('a', { key: 'foreign' });
    sink.refuse(undefined);
    await expect.poll(heard).toEqual(['a']);
    expect(states()).toEqual({ standing: 1 });
    const said = logged().filter((line) => line.startsWith('the sink'));
    expect(said.map((line) => line.split(' {')[0])).toEqual(['the sink cannot tell of changes now: it is begun again', 'the sink tells of changes again']);
  });

  it('tells once where the sink is not set up for it, does not ask again soon, and watches the other sinks', async () => {
    const other = createWatchedSink();
    const sink = createWatchedSink();
    sink.refuse(new SinkError('unsupported', 'add Kg to notify-keyspace-events'));
    const watch = await watchOf(['a'], { sink, others: { other }, written: [] });
    await expect.poll(() => other.standing.size).toBe(1);
    await expect.poll(() => watch.states()).toEqual({ refused: 1, standing: 1 });
    expect(sink.begun()).toBe(1);
    expect(watch.logged().filter((line) => line.includes('add Kg'))).toHaveLength(1);
  });

  it('tries again at once what was refused when the bundle is loaded anew', async () => {
    const sink = createWatchedSink();
    sink.refuse(new SinkError('unsupported', 'add Kg'));
    const watch = await watchOf(['a'], { sink, written: [] });
    await expect.poll(() => watch.states()).toEqual({ refused: 1 });
    sink.refuse(undefined);
    watch.reload(['a']);
    await expect.poll(() => watch.states()).toEqual({ standing: 1 });
  });

  it('watches what the bundle has now, and begins anew only where that is another set of places', async () => {
    const other = createWatchedSink();
    const watch = await watchOf(['a'], { others: { other } });
    const { sink } = watch;
    expect([sink.begun(), other.begun()]).toEqual([1, 1]);
    watch.reload(['a', 'b']);
    await expect.poll(() => [...sink.standing]).toEqual([['a', 'b']]);
    expect([sink.begun(), other.begun()]).toEqual([2, 1]);
    sink.write('b', { key: 'ours' });
    sink.edit('b', { key: 'foreign' });
    await expect.poll(watch.heard).toEqual(['b']);
    watch.reload([]);
    await expect.poll(() => sink.standing.size).toBe(0);
  });

  it('tries again what it could not read, and signals that did not get through', async () => {
    const { sink, heard, breakSignals } = await watchOf(['a']);
    sink.breakReads(new SinkError('unavailable', 'down'));
    breakSignals(1);
    const before = sink.reads().length;
    sink.edit('a', { key: 'foreign' });
    await expect.poll(() => sink.reads().length).toBe(before + 1);
    sink.breakReads(undefined);
    await expect.poll(heard, { timeout: 10_000 }).toEqual(['a']);
  });

  it('goes on with what it has while the targets cannot be found out', async () => {
    const watch = await watchOf(['a']);
    watch.reload(new Error('the forge is down'));
    await expect.poll(() => watch.logged().filter((line) => line.includes('the forge is down'))).toHaveLength(1);
    watch.sink.edit('a', { key: 'foreign' });
    await expect.poll(watch.heard).toEqual(['a']);
  });

  it('beats, and leaves nothing behind when it is cancelled', async () => {
    const watch = await watchOf(['a']);
    await expect.poll(watch.beats).toBeGreaterThan(2);
    expect(await watch.stop('CANCELLED')).toBeInstanceOf(CancelledFailure);
    expect(watch.sink.standing.size).toBe(0);
    expect(watch.states()).toEqual({});
  });

  it('says nothing to a server that has given it up, as when its run continued as a new one', async () => {
    const watch = await watchOf(['a']);
    expect(await watch.stop('NOT_FOUND')).toBeInstanceOf(CompleteAsyncError);
    expect(watch.sink.standing.size).toBe(0);
  });

  it('hands over at once when its worker stops, as a failure that is tried again', async () => {
    const watch = await watchOf(['a']);
    expect(await watch.stop('WORKER_SHUTDOWN')).toMatchObject({ type: 'WorkerStops', nonRetryable: false, nextRetryDelay: 10 });
    expect(watch.sink.standing.size).toBe(0);
  });

  it('gives way to a newer one in the same worker', async () => {
    const first = await watchOf(['a']);
    const second = first.again();
    expect(await first.ended).toBeInstanceOf(CompleteAsyncError);
    await expect.poll(() => first.sink.standing.size).toBe(1);
    first.sink.edit('a', { key: 'foreign' });
    await expect.poll(first.heard).toEqual(['a']);
    second.cancel();
    await second.ended;
  });
});

interface Watch {
  readonly sink: WatchedSink;
  /** Targets that were told, in order, by the names of their places. */
  readonly heard: () => string[];
  readonly signals: () => readonly (readonly string[])[];
  readonly states: () => Partial<Record<SubscriptionState, number>>;
  readonly logged: () => readonly string[];
  readonly beats: () => number;
  breakSignals(count: number): void;
  reload(places: readonly string[] | Error): void;
  again(): { readonly cancel: () => void; readonly ended: Promise<unknown> };
  readonly ended: Promise<unknown>;
  stop(reason?: 'CANCELLED' | 'WORKER_SHUTDOWN' | 'NOT_FOUND'): Promise<unknown>;
}

interface Options {
  readonly sink?: WatchedSink;
  readonly others?: Readonly<Record<string, WatchedSink>>;
  /** Places that hold what we wrote, when it begins; all unless given. */
  readonly written?: readonly string[];
}

async function watchOf(places: readonly string[], { sink = createWatchedSink(), others = {}, written = places }: Options = {}): Promise<Watch> {
  for (const name of written) sink.write(name, { key: 'ours' });
  const sinks: Readonly<Record<string, WatchedSink>> = { cache: sink, ...others };
  const signals: string[][] = [];
  const states: Partial<Record<SubscriptionState, number>> = {};
  const logged: string[] = [];
  let brokenSignals = 0;
  let beats = 0;
  let targets: readonly SubscribedTarget[] | Error = targetsAt(places);
  let bundle = { tenants: { acme: { sinks: {} } } } as unknown as Bundle;
  const handle = {
    signal(_: unknown, { targets: ids }: { targets: string[] }) {
      if (brokenSignals-- > 0) return Promise.reject(new Error('no connection'));
      signals.push(ids);
      return Promise.resolve();
    },
  };
  const client = { workflow: { getHandle: () => handle }, withAbortSignal: (_: AbortSignal, act: () => Promise<void>) => act() } as unknown as Client;
  const pool = {
    get: (_: Bundle, __: string, name: string) => Promise.resolve((sinks[name] as WatchedSink).sink),
    drop: () => undefined,
    close: () => Promise.resolve(),
  };
  const activities = createWatchActivities(
    { bundle: () => bundle, sinks: pool, fingerprint, client },
    {
      targetsOf: () => Promise.resolve(targets instanceof Error ? { targets: [], problem: targets.message } : { targets }),
      observer: {
        moved(_, from, to) {
          if (from) states[from] = (states[from] ?? 0) - 1;
          if (to) states[to] = (states[to] ?? 0) + 1;
        },
      },
      times,
    },
  );

  function run(): { env: MockActivityEnvironment; cancel: (reason?: string) => void; ended: Promise<unknown> } {
    const log = (_: string, message: string, meta: unknown): void => void logged.push(`${message} ${JSON.stringify(meta)}`);
    const at = (level: string) => (message: string, meta: unknown) => log(level, message, meta);
    const logger = { log, trace: at('TRACE'), debug: at('DEBUG'), info: at('INFO'), warn: at('WARN'), error: at('ERROR') };
    const env = new MockActivityEnvironment({}, { logger });
    env.on('heartbeat', () => void beats++);
    const ended = env.run(() => activities.watchTenant({ tenant: 'acme' })).catch((error: unknown) => error);
    return { env, cancel: (reason = 'CANCELLED') => env.cancel(reason as never), ended };
  }

  const first = run();
  const watch: Watch = {
    sink,
    heard: () => signals.flat().map((id) => id.split('/')[1] ?? ''),
    signals: () => signals,
    states: () => Object.fromEntries(Object.entries(states).filter(([state, count]) => count !== 0 && (state === 'standing' || state === 'refused'))),
    logged: () => logged,
    beats: () => beats,
    breakSignals(count) {
      brokenSignals = count;
    },
    reload(next) {
      targets = next instanceof Error ? next : targetsAt(next);
      bundle = { ...bundle };
    },
    again: run,
    ended: first.ended,
    async stop(reason) {
      first.cancel(reason);
      return first.ended;
    },
  };
  running.push(watch);
  // It stands and has read everything once.
  if (written.length > 0) {
    await expect.poll(() => sink.standing.size).toBe(1);
    await expect.poll(() => new Set(sink.reads()).size).toBe(places.length);
  }
  return watch;

  function targetsAt(names: readonly string[]): SubscribedTarget[] {
    const target = (name: string, at: string): SubscribedTarget => ({
      id: `settings/${name}/0`,
      sink: at,
      kind: 'redis',
      place: { name, layout: 'hash', fields: {} },
      capabilities: { values: 'readable', ownership: 'keys', atomicity: 'place' },
      policy: { prune: true, protect: [] as string[], drift: { mode: 'heal', intervalMs: 60_000, ignore: ['runtime.*'] } } as unknown as Rule,
    });
    return [...names.map((name) => target(name, 'cache')), ...Object.keys(others).map((name) => target(`in-${name}`, name))];
  }
}
