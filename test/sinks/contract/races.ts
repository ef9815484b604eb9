import { expect, test } from 'vitest';
import { canary, failure, untouched, type Scenarios } from './scenario.ts';

export function raceCases(scenarios: Scenarios): void {
  const { readable } = scenarios;
  const shared = scenarios.capabilities.ownership === 'keys';

  test('a plan made before another write is refused, having changed nothing (I7)', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1' });
    const late = await it.planWrite({ host: `late ${canary}`, more: canary });
    await it.sync({ host: 'newer' });
    await untouched(it, () => failure(it.apply(late), 'conflict'));
  });

  test('a plan made before anything was there is refused once something is', async () => {
    const it = await scenarios.begin();
    const late = await it.planWrite({ host: `late ${canary}` });
    await it.sync({ port: 1 });
    await untouched(it, () => failure(it.apply(late), 'conflict'));
  });

  test('a plan whose own write was undone is refused when it comes again', async () => {
    const it = await scenarios.begin();
    const first = await it.planWrite({ host: canary });
    await it.apply(first);
    await it.restore(1);
    await untouched(it, () => failure(it.apply(first), 'conflict'));
    await it.sync({ host: 'db1' });
    const second = await it.planWrite(readable ? { host: canary } : { host: 'db1', more: canary });
    await it.apply(second);
    await it.restore(4);
    await untouched(it, () => failure(it.apply(second), 'conflict'));
  });

  test.runIf(readable)('a value that a stranger changed after it was read is not overwritten', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1', port: 1 });
    const plan = await it.planWrite({ host: canary, port: 1 });
    await it.stranger({ host: `by hand ${canary}`, port: 1 });
    await untouched(it, () => failure(it.apply(plan), 'conflict'));
  });

  test('a key that a stranger made after it was read as absent is not overwritten (I4)', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1' });
    const plan = await it.planWrite({ host: 'db1', port: 1 });
    await it.stranger({ host: 'db1', port: 9 });
    await untouched(it, () => failure(it.apply(plan), 'conflict'));
  });

  test('a place that a stranger made after it was read as absent is not overwritten (I4)', async () => {
    const it = await scenarios.begin();
    const plan = await it.planWrite({ host: 'db1' });
    await it.stranger({ host: 'theirs' });
    await untouched(it, () => failure(it.apply(plan), 'conflict'));
  });

  test.runIf(readable)('a value that was to be adopted and that a stranger changed does not become ours', async () => {
    const it = await scenarios.begin();
    await it.stranger({ host: canary, port: 1 });
    const plan = await it.planWrite({ host: canary, port: 1 });
    await it.stranger({ host: `by hand ${canary}`, port: 1 });
    await untouched(it, () => failure(it.apply(plan), 'conflict'));
  });

  test.runIf(readable)('a key that was to be deleted and that a stranger changed is not deleted', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1', old: 'x' });
    const plan = await it.planWrite({ host: 'db1' });
    await it.stranger({ host: 'db1', old: `by hand ${canary}` });
    await untouched(it, () => failure(it.apply(plan), 'conflict'));
  });

  if (shared)
    test('a stranger who changes another key of the place is no conflict', async () => {
      const it = await scenarios.begin();
      await it.sync({ host: 'db1' });
      const plan = await it.planWrite({ host: 'db2' });
      await it.stranger({ host: 'db1', theirs: 'x' });
      expect(await it.apply(plan)).toEqual({ generation: 2, writes: 1 });
    });

  test.each([
    ['an absent place', {}],
    ['a place of ours', { host: 'db0', port: 1 }],
  ])('of many writers from the same state of %s exactly one wins, whole', async (_name, before) => {
    const it = await scenarios.begin();
    if ('host' in before) await it.sync(before);
    const other = await scenarios.connect();
    const values = Array.from({ length: 6 }, (_, index) => ({ host: `db-${index}`, port: 100 + index, [`only${index}`]: 'x' }));
    const plans = await Promise.all(values.map((each) => it.planWrite(each)));
    const outcomes = await Promise.allSettled(plans.map((plan, index) => it.apply(plan, index % 2 === 0 ? it.sink : other)));
    const winners = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [index] : []));
    expect(winners).toHaveLength(1);
    for (const outcome of outcomes) if (outcome.status === 'rejected') await failure(Promise.reject(outcome.reason), 'conflict');
    const [winner = -1] = winners;
    expect(await it.plan(values[winner] ?? {})).toMatchObject({ kind: 'unchanged' });
  });
}
