import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createPauseReader } from '../../activities/pause.ts';
import { startDriftWatches } from '../../clients/start-drift-watch.ts';
import { driftStateQuery, driftWorkflowId, pauseSignal, renewSignal, resumeSignal } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';
import { recordHistory } from './record-history.ts';
import { openWorkflowLab, type WorkflowLab } from './workflow-lab.ts';

describeWith('temporal', 'DriftWatchWorkflow', () => {
  let lab: WorkflowLab;
  beforeAll(async () => {
    lab = await openWorkflowLab();
  });
  afterAll(() => lab.close());

  it('keeps a pause where it can be read without a worker, and on resume starts every stream once', async () => {
    const requested: string[] = [];
    const requestSync = ({ tenant, by }: { tenant: string; by: string }) => {
      requested.push(`${tenant} by ${by}`);
      return Promise.resolve({ streams: 2 });
    };
    const { tenant } = await lab.withWorker({ requestSync }, async ({ client, tenant, taskQueue }) => {
      await startDriftWatches(client, [tenant], taskQueue);
      await startDriftWatches(client, [tenant], taskQueue);
      const watch = client.workflow.getHandle(driftWorkflowId(tenant));
      await watch.signal(pauseSignal, { by: 'ann', reason: 'maintenance' });
      await vi.waitFor(async () => expect(await createPauseReader(client)(tenant)).toMatchObject({ by: 'ann', reason: 'maintenance' }), { timeout: 10_000 });
      expect(await watch.query(driftStateQuery)).toMatchObject({ tenant, pause: { by: 'ann' } });
      return { tenant };
    });

    // No worker now.
    expect(await createPauseReader(lab.client)(tenant)).toMatchObject({ by: 'ann' });

    await lab.client.workflow.getHandle(driftWorkflowId(tenant)).terminate('the queue of this test is gone');
    expect(requested).toEqual([]);
  });

  it('resumes on a signal, and by itself at the end of the pause', async () => {
    const requested: string[] = [];
    const requestSync = ({ by }: { by: string }) => {
      requested.push(by);
      return Promise.resolve({ streams: 1 });
    };
    await lab.withWorker({ requestSync }, async ({ client, tenant, taskQueue }) => {
      await startDriftWatches(client, [tenant], taskQueue);
      const watch = client.workflow.getHandle(driftWorkflowId(tenant));
      await watch.signal(resumeSignal, { by: 'nobody paused it' });
      await watch.signal(pauseSignal, { by: 'ann', reason: 'a' });
      await watch.signal(resumeSignal, { by: 'bob' });
      await vi.waitFor(() => expect(requested).toEqual(['bob']), { timeout: 25_000 });
      await watch.signal(pauseSignal, { by: 'ann', reason: 'b', until: new Date(Date.now() + 1_500).toISOString() });
      await vi.waitFor(() => expect(requested).toEqual(['bob', 'the end of the pause']), { timeout: 25_000 });
      expect(await createPauseReader(client)(tenant)).toBeNull();
      await recordHistory(watch);
      await watch.terminate('the test is over');
    });
  }, 60_000);

  it('goes on in a new run when it is asked to, with its pause and with what is asked at that moment', async () => {
    const requested: string[] = [];
    const requestSync = ({ by }: { by: string }) => {
      requested.push(by);
      return Promise.resolve({ streams: 1 });
    };
    await lab.withWorker({ requestSync }, async ({ client, tenant, taskQueue }) => {
      await startDriftWatches(client, [tenant], taskQueue);
      const watch = client.workflow.getHandle(driftWorkflowId(tenant));
      const { runId } = await watch.describe();
      // Together, so that the run may have the pause before it as it ends.
      await Promise.all([watch.signal(renewSignal), watch.signal(pauseSignal, { by: 'ann', reason: 'maintenance' })]);
      await vi.waitFor(async () => expect((await watch.describe()).runId).not.toBe(runId), { timeout: 10_000 });
      await vi.waitFor(async () => expect(await createPauseReader(client)(tenant)).toMatchObject({ by: 'ann' }), { timeout: 10_000 });
      await watch.signal(renewSignal);
      await vi.waitFor(async () => expect(await runsOf(client, tenant)).toBe(3), { timeout: 10_000 });
      expect(await createPauseReader(client)(tenant)).toMatchObject({ by: 'ann', reason: 'maintenance' });
      await watch.signal(resumeSignal, { by: 'bob' });
      await vi.waitFor(() => expect(requested).toEqual(['bob']), { timeout: 25_000 });
      expect(await createPauseReader(client)(tenant)).toBeNull();
      await watch.terminate('the test is over');
    });
  }, 60_000);

  it('is not paused where it was never started', async () => {
    expect(await createPauseReader(lab.client)('no-such-tenant')).toBeNull();
  });
});

async function runsOf(client: WorkflowLab['client'], tenant: string): Promise<number> {
  let runs = 0;
  for await (const _run of client.workflow.list({ query: `WorkflowId = "${driftWorkflowId(tenant)}"` })) runs++;
  return runs;
}
