import { expect, onTestFinished, test } from 'vitest';
import { SinkError } from '../../../sinks/errors.ts';
import type { Sink } from '../../../sinks/sink.ts';
import { canary, contextFor, failure, type Scenario, type Scenarios } from './scenario.ts';

/** Wraps one call of the driver to its server. */
export type Cut = <Reply>(call: () => Promise<Reply>) => Promise<Reply>;

const was = { host: 'db1', port: 1, old: 'x' };
const wanted = { host: 'db2', port: 1, fresh: 'y' };

/** What a crash, a lost request and a lost reply leave behind, at every call that the driver makes. */
export function cutCases(scenarios: Scenarios): void {
  if (scenarios.leg.cuts !== true) return;
  const places = [
    ['an absent place', {}],
    ['a place of ours', was],
  ] as const;

  // What nobody can read cannot be brought back; only what was not there before can be undone.
  const undoable = scenarios.readable ? places : places.slice(0, 1);

  let whole: unknown;
  test.each(places)('a write to %s that is cut at any call is finished by the next attempt', async (_name, before) => {
    await atEveryCall(async (cut) => {
      const it = await prepared(before);
      const made = await it.planWrite(wanted);
      const reached = await cutWrite(it, cut, (sink) => it.apply(made, sink));
      if ((await it.plan(wanted)).kind === 'write') await it.sync(wanted);
      expect((await it.look()).content).toEqual((whole ??= await contentOf(wanted)));
      return reached;
    });
  });

  test.each(undoable)('a write to %s that is cut at any call can be undone, and then never comes back', async (_name, before) => {
    await atEveryCall(async (cut) => {
      const it = await prepared(before);
      const { content } = await it.look();
      const made = await it.planWrite({ ...wanted, host: canary });
      const reached = await cutWrite(it, cut, (sink) => it.apply(made, sink));
      const { generation } = await it.restore(made.ledger.generation);
      expect((await it.look()).content).toEqual(content);
      if (generation > made.ledger.generation) await failure(it.apply(made), 'conflict');
      return reached;
    });
  });

  test.each(undoable)('an undo of a write to %s that is cut at any call is finished by the next attempt', async (_name, before) => {
    await atEveryCall(async (cut) => {
      const it = await prepared(before);
      const { content } = await it.look();
      const { generation } = await it.sync(wanted);
      const reached = await cutWrite(it, cut, (sink) => sink.restore(it.place, generation, contextFor([])));
      expect(await it.restore(generation)).toMatchObject({ generation: generation + 1 });
      expect((await it.look()).content).toEqual(content);
      return reached;
    });
  });

  test('a removal that is cut at any call is finished by the next attempt, and leaves nothing', async () => {
    await atEveryCall(async (cut) => {
      const it = await scenarios.begin();
      const fresh = await it.look();
      await it.sync(was);
      const made = await it.planRemoval();
      if (made.kind !== 'write') throw new Error('there is something to give up');
      const reached = await cutWrite(it, cut, (sink) => it.apply(made, sink));
      const next = await it.planRemoval();
      if (next.kind === 'write') await it.apply(next);
      expect(await it.look()).toEqual(fresh);
      return reached;
    });
  });

  async function prepared(before: typeof was | Record<string, never>): Promise<Scenario> {
    const it = await scenarios.begin();
    if ('host' in before) await it.sync(before);
    return it;
  }

  async function contentOf(values: typeof wanted): Promise<unknown> {
    const other = await scenarios.begin();
    await other.sync(values);
    return (await other.look()).content;
  }

  async function cutWrite(it: Scenario, cut: Cutter, attempt: (sink: Sink) => Promise<unknown>): Promise<boolean> {
    const { connectCut } = scenarios.bench();
    if (!connectCut) throw new Error('the bench of a leg with cuts has to be able to make them');
    const sink = await connectCut(cut.cut);
    onTestFinished(() => sink.close());
    if (cut.reached()) throw new Error(`connecting to ${it.place.name} made a call that counts`);
    const outcome = await attempt(sink).catch((error: unknown) => error);
    if (cut.reached()) expect(outcome).toBeInstanceOf(SinkError);
    else expect(outcome).not.toBeInstanceOf(Error);
    return cut.reached();
  }
}

interface Cutter {
  readonly cut: Cut;
  reached(): boolean;
}

/**
 * Cuts before the first call, after it, after the second, until an attempt gets through without. Before a later call is not tried: the server is as after the
 * call that precedes it, and the driver sees what it sees when that later call is cut after it was made.
 */
async function atEveryCall(attempt: (cut: Cutter) => Promise<boolean>): Promise<void> {
  expect(await attempt(createCutter(0, 'before'))).toBe(true);
  let index = 0;
  while (await attempt(createCutter(index, 'after'))) index++;
  expect(index).toBeGreaterThan(0);
}

function createCutter(index: number, when: 'before' | 'after'): Cutter {
  let calls = 0;
  return {
    cut: async (call) => {
      const mine = calls++;
      // Nothing gets through any more after the cut: the process is gone.
      if (mine > index || (mine === index && when === 'before')) throw new SinkError('unavailable', `cut at call ${mine}`);
      const reply = await call();
      if (mine === index) throw new SinkError('unavailable', `cut after call ${mine}`);
      return reply;
    },
    reached: () => calls > index,
  };
}
