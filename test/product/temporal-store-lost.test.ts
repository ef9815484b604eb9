import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { comparable, expectAtRest, stateOf } from '../kills/at-rest.ts';
import { FIRST, openLab, SECOND, THIRD, type Answer, type Lab } from '../kills/lab.ts';
import { describeWith } from '../servers/describe-with.ts';
import type { ServerProcess } from '../servers/start-process.ts';
import { startTemporal, type TemporalServer } from '../servers/temporal.ts';

const [WHOLE, GATED, HALF] = [0, 1, 2];

describeWith(['temporal', 'redis', 'seaweedfs'], 'when the store of Temporal is lost, ledgers carry on', () => {
  let scratch: string;
  let temporal: TemporalServer;
  let lab: Lab;
  let api: ServerProcess;
  let delivered: Answer;
  let first: string;
  let second: string;

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'vartrack-store-lost-'));
    temporal = await startTemporal({ databaseFile: join(scratch, 'first.db') });
    lab = await openLab({ tenants: 3, temporal: temporal.address, gated: (index) => index === GATED });
    first = await lab.repository.commit(FIRST);
  }, 120_000);
  afterAll(async () => {
    await lab?.close();
    await temporal?.stop();
    await rm(scratch, { recursive: true, force: true });
  }, 60_000);

  const tenant = (index: number): string => lab.tenants[index] ?? '';

  it('two commits are in place, a third tenant has half of the second, and then the server, its database and all processes go', async () => {
    api = await lab.startApi();
    const worker = await lab.startWorkerWithStops();
    delivered = await lab.deliver(api, tenant(WHOLE), { commit: first });
    await lab.resultsOf(delivered);
    await lab.begin(api, [tenant(GATED), tenant(HALF)], first);
    await lab.stops.arm({ [tenant(HALF)]: 'apply:files:before-write' });
    second = await lab.repository.commit(SECOND);
    await lab.begin(api, [tenant(WHOLE), tenant(GATED)], second);
    await lab.deliver(api, tenant(HALF), { commit: second });
    await lab.stops.held([tenant(HALF)]);
    await worker.kill();
    await api.kill();
    await temporal.kill();
    temporal = await startTemporal({ databaseFile: join(scratch, 'second.db'), port: temporal.port });
    const runs = await lab.client.workflow.count(`WorkflowType = 'syncWorkflow'`).catch((error: unknown) => error);
    expect(runs, 'the new store knows of nothing').toMatchObject({ count: 0 });
    await lab.startWorker();
    api = await lab.startApi();
  }, 180_000);

  it('an old delivery that is repeated writes nothing (I7, I10)', async () => {
    const before = await stateOf(lab, tenant(WHOLE));
    const answer = await lab.deliver(api, tenant(WHOLE), { commit: first, id: delivered.id });
    expect(answer.status).toBe(202);
    const [result] = await lab.resultsOf(answer);
    expect(result?.outcome).toMatchObject({ status: 'Unchanged', commit: second });
    expect(await stateOf(lab, tenant(WHOLE))).toEqual(before);
  }, 120_000);

  it('a write that fails is undone from the records in the sinks, to what the lost store had seen written', async () => {
    const before = await stateOf(lab, tenant(GATED));
    await writeFile(join(lab.directory, 'refuse'), '');
    const third = await lab.repository.commit(THIRD);
    expect(await lab.sync(api, tenant(GATED), third)).toMatchObject({ status: 'RolledBack' });
    expect(comparable(await stateOf(lab, tenant(GATED)))).toEqual(comparable(before));
    await rm(join(lab.directory, 'refuse'));
  }, 120_000);

  it('the next push goes on from the ledgers: one generation more, and keys that Git no longer has are deleted', async () => {
    const before = await stateOf(lab, tenant(WHOLE));
    const fourth = await lab.repository.commit(FIRST);
    expect(await lab.sync(api, tenant(WHOLE), fourth)).toMatchObject({ status: 'Synced', commit: fourth });
    const after = await stateOf(lab, tenant(WHOLE));
    for (const sink of ['cache', 'files', 'bucket'] as const) {
      expect(after.ledgers[sink]).toMatchObject({ generation: before.ledgers[sink].generation + 1, commit: fourth });
    }
    expect(Object.keys(before.contents.cache as object)).toContain('fresh');
    expect(Object.keys(after.contents.cache as object)).not.toContain('fresh');
    expect(after.foreign).toEqual(before.foreign);
    expect(await lab.sync(api, tenant(GATED), fourth)).toMatchObject({ status: 'Synced' });
    // The run that had written half is forgotten; what it left is an older commit's like any other.
    expect(await lab.sync(api, tenant(HALF), fourth)).toMatchObject({ status: 'Synced' });
    await expectAtRest(lab, tenant(HALF), after);
  }, 120_000);
});
