import { expect, test } from 'vitest';
import type { SinkErrorReason } from '../../../sinks/errors.ts';
import type { Fault } from '../contract.ts';
import { canary, contextFor, failure, untouched, type Scenarios } from './scenario.ts';
import { canWatch, watch, type Watching } from './watch.ts';

const faults: readonly (readonly [Fault, SinkErrorReason])[] = [
  ['wrong-credentials', 'unauthorized'],
  ['no-permission', 'unauthorized'],
  ['gone', 'unavailable'],
  ['silent', 'unavailable'],
];

export function failureCases(scenarios: Scenarios): void {
  const { leg, readable } = scenarios;
  const can = (fault: Fault | 'outage'): boolean => leg.cannot?.[fault] === undefined;

  for (const [fault, reason] of faults.filter(([each]) => can(each))) {
    test(`${fault}: every call fails as ${reason}, and a read never as absent (I3)`, async () => {
      const it = await scenarios.begin();
      const made = await it.planWrite({ host: canary });
      const { sink, place } = await scenarios.bench().fault(fault);
      try {
        await failure(sink.read(place, contextFor([])), reason);
        await failure(sink.apply(place, made, contextFor([])), reason);
        await failure(sink.restore(place, 1, contextFor([])), reason);
      } finally {
        await sink.close();
      }
    });
  }

  if (can('read-only'))
    test('read-only: a read succeeds, a write fails as unauthorized and changes nothing', async () => {
      const it = await scenarios.begin();
      const made = await it.planWrite({ host: canary });
      const { sink, place } = await scenarios.bench().fault('read-only');
      try {
        expect((await sink.read(place, contextFor([]))).ledger).toBeNull();
        await failure(sink.apply(place, made, contextFor([])), 'unauthorized');
        expect(await scenarios.bench().look(place)).toEqual({ content: null, ledger: null, undo: null });
      } finally {
        await sink.close();
      }
    });

  test.each(['', '{}', '[]', 'null', `not JSON ${canary}`, JSON.stringify({ version: 2, note: canary }), '{"version":1,"generation":1}'])(
    'a ledger that reads %j is an error and never an absent one (I3)',
    async (text) => {
      const it = await scenarios.begin();
      await it.sync({ host: 'db1' });
      const late = await it.planWrite({ host: canary });
      await scenarios.bench().writeLedger(it.place, text);
      await untouched(it, async () => {
        await failure(it.read({ host: '' }), 'rejected');
        await failure(it.apply(late), 'rejected', 'conflict');
        await failure(it.restore(1), 'rejected', 'conflict');
      });
    },
  );

  test('a signal that is already aborted refuses every call at once and changes nothing', async () => {
    const it = await scenarios.begin();
    const made = await it.planWrite({ host: canary });
    const context = contextFor([], AbortSignal.abort());
    const started = performance.now();
    await untouched(it, async () => {
      await failure(it.sink.read(it.place, context), 'unavailable');
      await failure(it.sink.apply(it.place, made, context), 'unavailable');
      await failure(it.sink.restore(it.place, 1, context), 'unavailable');
    });
    expect(performance.now() - started).toBeLessThan(2_000);
    await it.sync({ host: 'db1' });
  });

  if (can('silent'))
    test('a signal that is aborted while the server is silent ends the call at once', async () => {
      const { sink, place } = await scenarios.bench().fault('silent');
      try {
        const abort = new AbortController();
        const call = failure(sink.read(place, contextFor([], abort.signal)), 'unavailable');
        const started = performance.now();
        abort.abort();
        await call;
        expect(performance.now() - started).toBeLessThan(1_000);
      } finally {
        await sink.close();
      }
    });

  test('calls through a closed sink fail as unavailable', async () => {
    const it = await scenarios.begin();
    const sink = await scenarios.bench().connect();
    await sink.close();
    await failure(sink.read(it.place, contextFor([])), 'unavailable');
    await sink.close();
  });

  if (can('outage'))
    test('a server that goes away fails the calls and the watch of a connection that worked, and both work again when it is back', async () => {
      const { outage } = scenarios.bench();
      if (!outage) throw new Error('the bench has to stage an outage, or the leg to say why it cannot');
      const it = await scenarios.begin();
      await it.sync({ host: 'db1' });
      const made = await it.planWrite({ host: canary });
      const begin = (): Watching | undefined => (canWatch(leg) ? watch(it.sink, [it.place]) : undefined);
      const watching = begin();
      await watching?.told(it.place, 1);
      await outage.begin();
      try {
        if (watching) await failure(watching.ended, 'unavailable');
        await failure(it.read({ host: '' }), 'unavailable');
        await failure(it.apply(made), 'unavailable');
        await failure(it.restore(1), 'unavailable');
      } finally {
        await outage.end();
      }
      const live = await it.read({ host: '' });
      await it.sync({ host: `after ${live.ledger?.generation ?? 0}` });
      const again = begin();
      await again?.told(it.place, 1);
      await again?.tells(it.place, () => it.stranger({ host: 'by hand' }));
      await again?.end();
    });

  if (readable)
    test('no value is part of what a conflict says', async () => {
      const it = await scenarios.begin();
      await it.sync({ host: `old ${canary}` });
      const late = await it.planWrite({ host: `new ${canary}` });
      await it.stranger({ host: `by hand ${canary}` });
      const error = await failure(it.apply(late), 'conflict');
      expect(error.message).toContain(it.place.name);
    });
}
