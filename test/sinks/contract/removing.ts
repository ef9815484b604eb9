import { expect, test } from 'vitest';
import type { Plan, WritePlan } from '../../../domain/plan.ts';
import { failure, untouched, type Scenarios } from './scenario.ts';

export function removalCases(scenarios: Scenarios): void {
  const shared = scenarios.capabilities.ownership === 'keys';
  const readable = scenarios.capabilities.values === 'readable';

  test('a target that is given up leaves nothing of ours: no value, no ledger, no undo record', async () => {
    const it = await scenarios.begin();
    const fresh = await it.look();
    await it.sync({ host: 'db1', port: 1 });
    await it.sync({ host: 'db2' });
    await it.apply(writing(await it.planRemoval()));
    expect(await it.look()).toEqual(fresh);
    expect(await it.planRemoval()).toEqual({ kind: 'unchanged', generation: 0 });
    expect(await it.sync({ host: 'db3' })).toEqual({ generation: 1, writes: 1 });
  });

  test.runIf(shared)('keys of others at the place stay when a target is given up', async () => {
    const it = await scenarios.begin();
    await it.stranger({ theirs: 'x' });
    const { content } = await it.look();
    await it.sync({ host: 'db1' });
    await it.apply(writing(await it.planRemoval()));
    expect((await it.look()).content).toEqual(content);
    expect(await it.ledger()).toBeNull();
  });

  test.runIf(readable)('what was overwritten of a stranger and put back stays when the target is given up (I4)', async () => {
    const it = await scenarios.begin();
    await it.stranger({ host: 'theirs' });
    const { content } = await it.look();
    await it.sync({ host: 'ours' }, { policy: { onExisting: 'overwrite' } });
    await it.restore(1);
    await it.apply(writing(await it.planRemoval()));
    expect(await it.look()).toMatchObject({ content, ledger: null });
  });

  test('a target that moved is not removed', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1' });
    const removal = writing(await it.planRemoval());
    await it.sync({ host: 'db2' });
    await untouched(it, () => failure(it.apply(removal), 'conflict'));
  });

  test('removing twice is removing once', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1' });
    const removal = writing(await it.planRemoval());
    await it.apply(removal);
    await untouched(it, () => it.apply(removal));
  });
}

function writing(plan: Plan): WritePlan {
  expect(plan).toMatchObject({ kind: 'write', content: 'remove' });
  return plan as WritePlan;
}
