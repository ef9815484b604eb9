import { expect, test } from 'vitest';
import { undoOf } from '../../../domain/ledger.ts';
import { canary, failure, untouched, type Scenarios } from './scenario.ts';

export function restoreCases(scenarios: Scenarios): void {
  const { readable } = scenarios;
  const shared = scenarios.capabilities.ownership === 'keys';
  // Where nobody can read values, only what was not there before can be undone.
  const next = readable ? { host: 'db2' } : { host: 'db1', more: 'x' };

  test('a first write is undone to absence, and leaves a ledger that owns nothing and fences late writers', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1', port: 1 }, { write: 'w1' });
    expect(await it.restore(1)).toMatchObject({ generation: 2 });
    expect((await it.look()).content).toBeNull();
    expect(await it.ledger()).toMatchObject({ generation: 2, keys: {}, write: undoOf('w1'), state: 'committed' });
    expect(await it.sync({ host: 'db2' })).toEqual({ generation: 3, writes: 1 });
  });

  test.runIf(readable)('changed, new and removed keys are undone to exactly what was there', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1', port: 1, empty: '', old: `x ${canary}` });
    const before = await it.look();
    const ledger = await it.ledger();
    await it.sync({ host: 'db2', port: 1, fresh: 'y' }, { write: 'w2', commit: 'b'.repeat(40) });
    await it.restore(2);
    expect((await it.look()).content).toEqual(before.content);
    expect(await it.ledger()).toEqual({ ...ledger, generation: 3, write: undoOf('w2') });
  });

  test.runIf(readable)('what was overwritten of a stranger comes back, and is a stranger again', async () => {
    const it = await scenarios.begin();
    await it.stranger({ host: 'theirs' });
    const { content } = await it.look();
    await it.sync({ host: 'ours', port: 1 }, { policy: { onExisting: 'overwrite' } });
    await it.restore(1);
    expect((await it.look()).content).toEqual(content);
    expect(await it.plan({ host: 'ours' })).toMatchObject({ kind: 'held', holds: [{ reason: 'not-owned' }] });
  });

  test.runIf(readable)('an adoption is undone without touching a value', async () => {
    const it = await scenarios.begin();
    await it.stranger({ host: 'same' });
    const { content } = await it.look();
    await it.apply(await it.planWrite({ host: 'same' }));
    await it.restore(1);
    expect((await it.look()).content).toEqual(content);
    expect(await it.ledger()).toMatchObject({ generation: 2, keys: {} });
  });

  const lost = [['changed', { host: 'db2' }] as const, ['removed', { more: 'x' }] as const];
  test.each(readable ? [] : lost)('a value that nobody can read and that was %s is not undone: a conflict, which changes nothing', async (_name, values) => {
    const it = await scenarios.begin();
    await it.sync({ host: `former ${canary}` });
    await it.sync(values);
    await untouched(it, () => failure(it.restore(2), 'conflict'));
    await it.sync({ host: 'db3' });
  });

  test('undoing twice is undoing once', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1' });
    await it.sync(next);
    const receipt = await it.restore(2);
    const again = await untouched(it, () => it.restore(2));
    expect(again).toEqual({ generation: receipt.generation, writes: 0 });
  });

  test('undoing what was never applied is nothing', async () => {
    const it = await scenarios.begin();
    expect(await untouched(it, () => it.restore(1))).toEqual({ generation: 0, writes: 0 });
    await it.sync({ host: 'db1' });
    expect(await untouched(it, () => it.restore(2))).toEqual({ generation: 1, writes: 0 });
  });

  test('undoing after something newer was written is a conflict, and changes nothing', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1' });
    await it.sync(next);
    await untouched(it, () => failure(it.restore(1), 'conflict'));
    await it.restore(2);
    await it.sync({ host: 'db3' });
    await untouched(it, () => failure(it.restore(2), 'conflict'));
  });

  test('a place can be written, undone, written and undone again', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1', port: 1 });
    const { content } = await it.look();
    await it.sync(readable ? next : { ...next, port: 1 });
    await it.restore(2);
    await it.sync(readable ? { host: 'db3', fresh: 'x' } : { host: 'db1', port: 1, fresh: 'x' });
    await it.restore(4);
    expect((await it.look()).content).toEqual(content);
    expect(await it.plan({ host: 'db1', port: 1 }, { inputsMoved: false })).toEqual({ kind: 'unchanged', generation: 5 });
  });

  test('a second undo in parallel does no harm', async () => {
    const it = await scenarios.begin();
    await it.sync({ host: 'db1' });
    const { content } = await it.look();
    await it.sync(next);
    const receipts = await Promise.all([it.restore(2), it.restore(2), it.restore(2)]);
    expect(receipts.map((receipt) => receipt.generation)).toEqual([3, 3, 3]);
    expect((await it.look()).content).toEqual(content);
  });

  if (shared)
    test('a key that a stranger made after our delete is not overwritten by the undo (I4)', async () => {
      const it = await scenarios.begin();
      await it.sync({ host: 'db1', old: 'ours' });
      await it.sync({ host: 'db1' });
      await it.stranger({ host: 'db1', old: `theirs now ${canary}` });
      await untouched(it, () => failure(it.restore(2), 'conflict'));
    });

  if (shared)
    test('what strangers did to other keys in between stays', async () => {
      const it = await scenarios.begin();
      await it.sync({ host: 'db1' });
      await it.sync(next);
      await it.stranger({ ...next, theirs: 'x' });
      await it.restore(2);
      const expected = await scenarios.begin();
      await expected.stranger({ host: 'db1', theirs: 'x' });
      expect((await it.look()).content).toEqual((await expected.look()).content);
    });

  if (!shared)
    test('content that could not be parsed comes back byte for byte', async () => {
      const it = await scenarios.begin();
      await it.sync({ host: 'db1' });
      await scenarios.bench().spoil?.(it.place);
      const { content } = await it.look();
      await it.sync({ host: 'db1' });
      await it.restore(2);
      expect((await it.look()).content).toEqual(content);
    });
}
