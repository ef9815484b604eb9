import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWith } from '../../servers/describe-with.ts';
import { canary, failure, untouched } from '../contract/scenario.ts';
import { nastyValues } from '../contract/values.ts';
import { chartPath } from './chart-folder.ts';
import { chartWith, startStage, type Stage } from './stage.ts';

/** What the contract proves with Helm 4, by a sample: flags, records and words of Helm 3 are almost the same. */
describeWith(['etcd', 'kube-apiserver', 'helm3'], 'the helm sink with Helm 3', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage('helm3');
  });
  afterAll(() => stage?.stop());

  test('writes, changes, undoes and gives up', async () => {
    const it = await stage.begin({ wait: true, hooks: false });
    expect(await it.sync({ host: 'db1', 'redis.port': 6379 })).toEqual({ generation: 1, writes: 2 });
    const { content } = await it.look();
    await it.sync({ host: 'db2', fresh: true });
    await it.restore(2);
    expect((await it.look()).content).toEqual(content);
    expect(await it.ledger()).toMatchObject({ generation: 3, state: 'committed' });
    const removal = await it.planRemoval();
    if (removal.kind === 'write') await it.apply(removal);
    expect(await it.look()).toEqual({ content: null, ledger: null, undo: null });
  });

  test('undoes a first write to absence, and keeps late writers out', async () => {
    const it = await stage.begin();
    const late = await it.planWrite({ host: canary });
    await it.sync({ host: 'db1' });
    expect(await it.restore(1)).toMatchObject({ generation: 2 });
    expect((await it.look()).content).toBeNull();
    await untouched(it, () => failure(it.apply(late), 'conflict'));
    expect(await it.sync({ host: 'db2' })).toEqual({ generation: 3, writes: 1 });
  });

  test('keeps values that break careless encodings', async () => {
    const it = await stage.begin();
    const values = Object.fromEntries(Object.values(nastyValues).filter(([, value]) => typeof value !== 'bigint'));
    await it.sync(values);
    expect((await it.read(values)).entries.size).toBe(Object.keys(values).length);
  });

  test('lets one of many writers win', async () => {
    const it = await stage.begin();
    await it.sync({ host: 'db0' });
    const other = await stage.connect();
    const plans = await Promise.all(['db1', 'db2', 'db3', 'db4'].map((host) => it.planWrite({ host })));
    const outcomes = await Promise.allSettled(plans.map((plan, index) => it.apply(plan, index % 2 === 0 ? it.sink : other)));
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) if (outcome.status === 'rejected') await failure(Promise.reject(outcome.reason), 'conflict');
  });

  test('heals what people change, and fails with a key and no value where a schema refuses', async () => {
    const schema = { type: 'object', properties: { port: { type: 'integer' } } };
    const it = await stage.begin({ chart: { path: (await chartWith({ 'values.schema.json': JSON.stringify(schema) })).path } });
    await it.sync({ port: 1 });
    await stage.person.helm(it.place.name, 'upgrade', [chartPath, '--set', 'port=2']);
    expect(await it.sync({ port: 1 })).toEqual({ generation: 2, writes: 1 });
    const error = await failure(it.apply(await it.planWrite({ port: canary })), 'rejected');
    expect(error.message).toMatch(/schema.*port/);
  });
});
