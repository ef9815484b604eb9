import { expect, onTestFinished, test } from 'vitest';
import type { Place, Sink } from '../../../sinks/sink.ts';
import type { ContractLeg } from '../contract.ts';
import { failure, type Scenarios } from './scenario.ts';

const SOON_MS = 2_000;

export interface Watching {
  /** How often each place was told of, by its name. */
  times(place: Place): number;
  /** Waits until the place has been told of that often, from the beginning of the watch. Fails as the watch does. */
  told(place: Place, times: number, withinMs?: number): Promise<void>;
  /** Makes a change, and waits until the place is told of. */
  tells(place: Place, change: () => Promise<void>): Promise<void>;
  /** Aborts the signal, and gives how long it took the watch to resolve. */
  end(): Promise<number>;
  /** Settles as the watch does. */
  readonly ended: Promise<void>;
}

export function canWatch({ definition, cannot }: ContractLeg): boolean {
  return definition.notifies && cannot?.watch === undefined;
}

/** For kinds that tell of changes. `stranger` is what makes one. */
export function watchCases(scenarios: Scenarios): void {
  const { leg } = scenarios;
  const can = (fault: 'gone' | 'wrong-credentials'): boolean => leg.cannot?.[fault] === undefined;

  test('tells once of every place when it stands, and then of a key that is changed, added, or deleted by somebody else', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1', port: 1 });
    const other = await scenarios.begin(it.sink);
    await other.sync({ host: 'db1' });
    const watching = watch(it.sink, [it.place, other.place]);
    await Promise.all([watching.told(it.place, 1), watching.told(other.place, 1)]);
    expect([watching.times(it.place), watching.times(other.place)]).toEqual([1, 1]);

    for (const values of [
      { host: 'db2', port: 1 },
      { host: 'db2', port: 1, more: 'new' },
      { host: 'db2', more: 'new' },
    ]) {
      await watching.tells(it.place, () => it.stranger(values));
    }
    expect(watching.times(other.place)).toBe(1);
    await watching.end();
  });

  test('tells of a place that comes to be, and of one that is removed as a whole', async () => {
    const it = await scenarios.begin();
    const watching = watch(it.sink, [it.place]);
    await watching.told(it.place, 1);
    for (const values of [{ host: 'db1' }, {}]) {
      await watching.tells(it.place, () => it.stranger(values));
    }
    await watching.end();
  });

  test('loses no change that is made while it begins', async () => {
    for (let round = 0; round < 3; round++) {
      const it = await scenarios.begin();
      await it.sync({ host: 'before' });
      const seen = Promise.withResolvers<void>();
      const watching = watch(it.sink, [it.place], () => {
        // Who is told reads; the last of these reads has to see the change.
        void it.read({ host: '' }).then(({ entries }) => {
          if (entries.get('host') === it.texts({ host: 'after' }).get('host')) seen.resolve();
        }, seen.reject);
      });
      await it.stranger({ host: 'after' });
      await within(SOON_MS, () => 'a change during the start was never told of', Promise.race([seen.promise, watching.ended]));
      await watching.end();
    }
  });

  test('watches two hundred places at once, and tells which of them changed', async () => {
    const it = await scenarios.begin();
    const places = Array.from({ length: 200 }, (): Place => ({ ...it.place, name: scenarios.bench().placeName() }));
    const watching = watch(it.sink, places);
    await Promise.all(places.map((place) => watching.told(place, 1)));
    const changed = places[117] ?? it.place;
    await watching.tells(changed, () => scenarios.bench().write(changed, [{ path: ['host'], value: 'db1' }]));
    await watching.end();
  });

  test('resolves within a second when its signal aborts, leaves nothing open, and can be begun again', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1' });
    const before = openHandles();
    const watching = watch(it.sink, [it.place]);
    await watching.told(it.place, 1);
    expect(await watching.end()).toBeLessThan(1_000);
    await expect.poll(() => moreThan(before, openHandles()), { timeout: SOON_MS }).toEqual([]);
    expect(watching.times(it.place)).toBe(1);

    const again = watch(it.sink, [it.place]);
    await again.told(it.place, 1);
    await again.end();
    await watch(it.sink, [it.place], () => undefined, AbortSignal.abort()).ended;
    await watch(it.sink, []).end();
  });

  test('fails as unavailable when its sink is closed', async () => {
    const it = await scenarios.begin(await scenarios.bench().connect());
    const watching = watch(it.sink, [it.place]);
    await watching.told(it.place, 1);
    await Promise.all([failure(watching.ended, 'unavailable'), it.sink.close()]);
    await failure(watch(it.sink, [it.place]).ended, 'unavailable');
  });

  if (can('gone'))
    test('fails as unavailable where nothing listens', async () => {
      const { sink, place } = await scenarios.bench().fault('gone');
      onTestFinished(() => sink.close());
      await failure(watch(sink, [place]).ended, 'unavailable');
    });

  if (can('wrong-credentials'))
    test('fails as unauthorized with credentials that are refused', async () => {
      const { sink, place } = await scenarios.bench().fault('wrong-credentials');
      onTestFinished(() => sink.close());
      await failure(watch(sink, [place]).ended, 'unauthorized');
    });
}

/** Begins a watch, which ends with the test at the latest. */
export function watch(sink: Sink, places: readonly Place[], onChange: (place: Place) => void = () => undefined, given?: AbortSignal): Watching {
  if (!sink.watch) throw new Error('the kind says that it notifies, and its sink cannot');
  const abort = new AbortController();
  const counts = new Map<string, number>();
  const waiting = new Set<() => void>();
  const told = (place: Place): void => {
    counts.set(place.name, (counts.get(place.name) ?? 0) + 1);
    for (const look of waiting) look();
    onChange(place);
  };
  const ended = sink.watch(places, told, given ?? abort.signal);
  ended.catch(() => undefined);
  const times = (place: Place): number => counts.get(place.name) ?? 0;
  onTestFinished(() => abort.abort());
  async function toldOf(place: Place, wanted: number, withinMs = 10_000): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => void (times(place) >= wanted && resolve());
    waiting.add(look);
    look();
    const over = ended.then(() => Promise.reject(new Error('the watch ended')));
    const complaint = (): string => `${place.name} was told of ${times(place)} times, and not ${wanted}`;
    await within(withinMs, complaint, Promise.race([promise, over])).finally(() => waiting.delete(look));
  }

  return {
    times,
    told: toldOf,
    tells: async (place, change) => {
      const before = times(place);
      await change();
      await toldOf(place, before + 1, SOON_MS);
    },
    end: async () => {
      const started = performance.now();
      abort.abort();
      await ended;
      return performance.now() - started;
    },
    ended,
  };
}

async function within<Result>(ms: number, complaint: () => string, work: Promise<Result>): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${complaint()} (after ${ms} ms)`)), ms);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What keeps a process alive, and what a watch may hold: sockets, pipes, programs, watches of files. */
function openHandles(): readonly string[] {
  return process.getActiveResourcesInfo().filter((name) => /Wrap$|FSEvent/.test(name));
}

/** Of the second list, what the first has less of. Others may close what is theirs meanwhile. */
function moreThan(before: readonly string[], after: readonly string[]): readonly string[] {
  const left = [...before];
  return after.filter((name) => {
    const index = left.indexOf(name);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
}
