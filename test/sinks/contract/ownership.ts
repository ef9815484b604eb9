import { expect, test } from 'vitest';
import type { Plan } from '../../../domain/plan.ts';
import { untouched, type Scenario, type Scenarios } from './scenario.ts';

export function ownershipCases(scenarios: Scenarios): void {
  const { readable } = scenarios;
  const shared = scenarios.capabilities.ownership === 'keys';

  test('what exists and is not ours is refused, and stays (I4)', async () => {
    const it = await scenarios.begin();
    await it.stranger({ host: 'theirs' });
    const plan = await untouched(it, () => it.plan({ host: 'ours', port: 1 }));
    expect(reasons(plan)).toEqual(['not-owned']);
  });

  test.runIf(readable)('what exists and is equal is adopted without being written', async () => {
    const it = await scenarios.begin();
    await it.stranger({ host: 'same', port: 1 });
    const { content } = await it.look();
    const plan = await it.planWrite({ host: 'same', port: 1 });
    expect(plan.adopted.toSorted()).toEqual(keysOf(it, { host: '', port: '' }));
    expect(await it.apply(plan)).toEqual({ generation: 1, writes: 0 });
    expect((await it.look()).content).toEqual(content);
    expect(await it.plan({ host: 'same', port: 1 })).toEqual({ kind: 'unchanged', generation: 1 });
  });

  test.runIf(!readable)('what exists and might be equal is refused, because nobody can tell (I4)', async () => {
    const it = await scenarios.begin();
    await it.stranger({ host: 'same' });
    expect(reasons(await untouched(it, () => it.plan({ host: 'same' })))).toEqual(['not-owned']);
  });

  test('what exists is overwritten where the rule says so', async () => {
    const it = await scenarios.begin();
    await it.stranger({ host: 'theirs' });
    await it.sync({ host: 'ours', port: 1 }, { policy: { onExisting: 'overwrite' } });
  });

  test('what another rule owns is refused, and stays (I11)', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'ours' });
    const plan = await untouched(it, () => it.plan({ host: 'other' }, { owner: { tenant: 'acme', rule: 'second', environment: 'production' } }));
    expect(reasons(plan)).toEqual(['owned-by-other']);
  });

  test('a protected key and, without prune, every key stays', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1', old: 'x', older: 'y' });
    const [kept] = keysOf(it, { old: '' });
    await it.sync({ host: 'db2' }, { policy: { isProtected: (key) => key === kept } });
    expect([...(await it.read({ host: '' })).entries.keys()].toSorted()).toEqual(keysOf(it, { host: '', old: '' }));
    await it.sync({ port: 1 }, { policy: { prune: false } });
    const live = await it.read({ host: '' });
    expect(Object.fromEntries(live.entries)).toEqual(Object.fromEntries(it.texts({ host: 'db2', old: 'x', port: 1 })));
  });

  test('an empty desired state never empties a place (I3)', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1', port: 1 });
    const plan = await untouched(it, () => it.plan({}, { policy: { deletesAllowed: true } }));
    expect(reasons(plan)).toEqual(['empty']);
  });

  test('more deletes than the rule allows are held until a person allows them', async () => {
    const it = await scenarios.begin();
    await it.sync({ a: 1, b: 2, c: 3, d: 4 });
    const maxDeletes = { percent: 50 };
    const plan = await untouched(it, () => it.plan({ a: 1 }, { policy: { maxDeletes } }));
    expect(reasons(plan)).toEqual(['too-many-deletes']);
    expect(await it.sync({ a: 1 }, { policy: { maxDeletes, deletesAllowed: true } })).toEqual({ generation: 2, writes: 3 });
  });

  if (shared)
    test('keys of others in the place are neither seen, changed nor deleted, whatever we do (I4)', async () => {
      const it = await scenarios.begin();
      await it.stranger({ theirs: 'x', 'also.theirs': 'y' });
      const { content } = await it.look();
      expect((await it.read({ host: '' })).entries.size).toBe(0);
      await it.sync({ host: 'db1', port: 1 });
      await it.sync(readable ? { host: 'db2' } : { host: 'db1', port: 1, more: 'x' });
      await it.restore(2);
      await it.sync(readable ? { name: 'n' } : { host: 'db1', port: 1, name: 'n' });
      await it.restore(4);
      await it.restore(1).catch(() => undefined);
      const plain = await scenarios.begin();
      await plain.stranger({ theirs: 'x', 'also.theirs': 'y', host: 'db1', port: 1 });
      expect((await it.look()).content).toEqual((await plain.look()).content);
      expect(content).not.toBeNull();
    });

  if (shared)
    test('a key of somebody else is not deleted even when it was ours to want before', async () => {
      const it = await scenarios.begin();
      await it.stranger({ shared: 'theirs' });
      expect(reasons(await it.plan({ host: 'db1', shared: 'ours' }))).toEqual(['not-owned']);
      await it.sync({ host: 'db1' });
      await it.sync({ host: 'db2' });
      const [key] = keysOf(it, { shared: '' });
      expect((await it.read({ shared: '' })).entries.get(key ?? '')).toBe(it.texts({ shared: 'theirs' }).get(key ?? ''));
    });

  if (!shared)
    test('a place with other content is refused as a whole, and a place of ours loses what strangers added', async () => {
      const it = await scenarios.begin();
      await it.stranger({ host: 'same', theirs: 'x' });
      expect(reasons(await it.plan({ host: 'same' }))).toEqual(['not-owned']);
      await it.stranger({});
      await it.sync({ host: 'db1' });
      await it.stranger({ host: 'db1', added: 'by hand' });
      expect(await it.sync({ host: 'db1' })).toEqual({ generation: 2, writes: 1 });
    });

  if (!shared)
    test('a place that cannot be parsed is neither absent nor ours', async () => {
      const it = await scenarios.begin();
      const spoil = scenarios.bench().spoil;
      if (!spoil) throw new Error('the bench of a place that is owned as a whole has to be able to spoil it');
      await spoil(it.place);
      const live = await it.read({ host: '' });
      expect({ exists: live.exists, size: live.entries.size, corrupt: typeof live.corrupt }).toEqual({ exists: true, size: 0, corrupt: 'string' });
      expect(reasons(await untouched(it, () => it.plan({ host: 'db1' })))).toEqual(['not-owned']);
      await it.sync({ host: 'db1' }, { policy: { onExisting: 'overwrite' } });
      await spoil(it.place);
      expect(await it.sync({ host: 'db1' })).toMatchObject({ generation: 2 });
    });
}

function keysOf(it: Scenario, values: Readonly<Record<string, string>>): readonly string[] {
  return it
    .render(values)
    .map((entry) => entry.key)
    .toSorted();
}

function reasons(plan: Plan): readonly string[] {
  return plan.kind === 'held' ? plan.holds.map((hold) => hold.reason) : [plan.kind];
}
