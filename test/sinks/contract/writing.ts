import { expect, test } from 'vitest';
import { canary, type Scenarios } from './scenario.ts';

export function writingCases(scenarios: Scenarios): void {
  const { readable } = scenarios;

  test('a place that nobody wrote is empty and has no ledger', async () => {
    const it = await scenarios.begin();
    const live = await it.read({ host: 'db1' });
    expect({ exists: live.exists, entries: [...live.entries], ledger: live.ledger, corrupt: live.corrupt }).toEqual({
      exists: false,
      entries: [],
      ledger: null,
      corrupt: undefined,
    });
  });

  test('what was written is what is read back', async () => {
    const it = await scenarios.begin();
    const values = { host: 'db1', 'redis.port': 6379, 'redis.tls': true };
    expect(await it.sync(values)).toEqual({ generation: 1, writes: 3 });
    const live = await it.read(values);
    expect(live.exists).toBe(true);
    expect(new Map(live.entries)).toEqual(it.texts(values));
  });

  test.runIf(readable)('the place then looks as if a person had written it', async () => {
    const [ours, theirs] = [await scenarios.begin(), await scenarios.begin()];
    const values = { host: 'db1', 'redis.port': 6379 };
    await ours.sync(values);
    await theirs.stranger(values);
    const adoption = await theirs.planWrite(values);
    expect(adoption.puts).toEqual([]);
  });

  test('the ledger says who wrote what, and holds no value', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: canary }, { write: 'w1', commit: 'b'.repeat(40) });
    const { ledger } = await it.look();
    expect(ledger).not.toContain(canary);
    expect(await it.ledger()).toMatchObject({
      generation: 1,
      write: 'w1',
      commit: 'b'.repeat(40),
      state: 'committed',
      owner: { tenant: 'acme', rule: 'settings' },
    });
    expect((await it.read()).ledger).toEqual(await it.ledger());
  });

  test('a changed value, a new key and a removed key are three writes', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1', port: 1, old: 'x' });
    expect(await it.sync({ host: 'db2', port: 1, fresh: 'y' })).toEqual({ generation: 2, writes: 3 });
    const values = { host: 'db2', port: 1, fresh: 'y' };
    expect((await it.read(values)).entries.size).toBe(3);
  });

  test('an unchanged state is planned as no write, and reading it writes nothing (I10)', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1', port: 1 });
    const before = await scenarios.bench().traceOfWrites(it.place);
    for (let i = 0; i < 3; i++) expect(await it.plan({ host: 'db1', port: 1 })).toEqual({ kind: 'unchanged', generation: 1 });
    expect(await scenarios.bench().traceOfWrites(it.place)).toEqual(before);
  });

  test('the same plan applied again gives the same receipt and writes nothing', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db0' });
    const plan = await it.planWrite({ host: 'db1', port: 1 });
    const receipt = await it.apply(plan);
    expect(receipt).toEqual({ generation: 2, writes: 2 });
    const before = await it.look();
    const trace = await scenarios.bench().traceOfWrites(it.place);
    expect((await it.apply(plan)).generation).toBe(2);
    expect(await it.look()).toEqual(before);
    expect(await scenarios.bench().traceOfWrites(it.place)).toEqual(trace);
  });

  test('a commit that moves the inputs and no value moves only the ledger', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1' }, { commit: 'a'.repeat(40) });
    const { content } = await it.look();
    expect(await it.sync({ host: 'db1' }, { commit: 'b'.repeat(40) })).toEqual({ generation: 2, writes: 0 });
    expect((await it.look()).content).toEqual(content);
    expect(await it.ledger()).toMatchObject({ commit: 'b'.repeat(40), generation: 2 });
  });

  test('a value that drifted, and one that was removed by hand, are put back', async () => {
    const it = await scenarios.begin();
    const values = { host: 'db1', port: 1, name: 'n' };
    await it.sync(values);
    await it.stranger({ host: 'elsewhere', port: 1 });
    // What nobody can read is not seen to drift.
    expect(await it.sync(values)).toEqual({ generation: 2, writes: readable ? 2 : 1 });
  });

  test('a place that was removed by hand is written again', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1', port: 1 });
    await it.stranger({});
    const live = await it.read({ host: 'db1', port: 1 });
    expect({ exists: live.exists, size: live.entries.size, generation: live.ledger?.generation }).toEqual({ exists: false, size: 0, generation: 1 });
    await it.sync({ host: 'db1', port: 1 });
  });

  test('two places of one sink know nothing of each other', async () => {
    const [one, two] = [await scenarios.begin(), await scenarios.begin()];
    await one.sync({ host: 'one' });
    await two.sync({ host: 'two', port: 2 });
    await one.sync({ host: 'changed' });
    expect(await two.plan({ host: 'two', port: 2 })).toEqual({ kind: 'unchanged', generation: 1 });
  });

  test('many places are written at the same time through one connection', async () => {
    const first = await scenarios.begin();
    const others = await Promise.all(Array.from({ length: 12 }, () => scenarios.begin()));
    await Promise.all(
      others.map(async (each, index) => {
        const plan = await each.planWrite({ host: `db${index}` });
        await first.sink.apply(each.place, plan, { signal: AbortSignal.timeout(30_000), keys: [], fingerprint: () => '' });
        expect(await each.plan({ host: `db${index}` })).toEqual({ kind: 'unchanged', generation: 1 });
      }),
    );
  });

  if (readable)
    test('a value that changed its type only is written exactly if the place can tell', async () => {
      const it = await scenarios.begin();
      await it.sync({ port: '5' });
      const [text] = it.render({ port: '5' });
      const [number] = it.render({ port: 5 });
      const plan = await it.planWrite({ port: 5 }, { commit: 'b'.repeat(40) });
      expect(plan.puts.length).toBe(text?.text === number?.text ? 0 : 1);
    });
}
