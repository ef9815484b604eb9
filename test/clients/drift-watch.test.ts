import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { explainSilence, isSilent, readDriftWatch, tellDriftWatch } from '../../clients/drift-watch.ts';
import { connectTemporal, registerSearchAttributes, type Temporal } from '../../clients/temporal.ts';
import { driftWorkflowId, pauseSignal } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';

describeWith('temporal', 'a watch that nobody answers for', () => {
  let temporal: Temporal;
  const tenant = `t-${randomUUID().slice(0, 8)}`;
  beforeAll(async () => {
    const { address, namespace } = inject('temporal');
    process.env['TEMPORAL_ADDRESS'] = address;
    process.env['TEMPORAL_NAMESPACE'] = namespace;
    temporal = await connectTemporal(undefined);
    await registerSearchAttributes(temporal.connection, temporal.namespace);
  });
  afterAll(async () => {
    await temporal.client.workflow
      .getHandle(driftWorkflowId(tenant))
      .terminate('the test is over')
      .catch(() => undefined);
    await temporal.close();
  });

  it('is told apart from one that was never started, and keeps what it was told', async () => {
    const before = await readDriftWatch(temporal.client, tenant, 2_000);
    expect(before).toEqual({ tenant, silent: 'not-started' });
    await tellDriftWatch(temporal.client, { tenant, taskQueue: `nobody-${tenant}` }, pauseSignal, { by: 'ann', reason: 'maintenance' });
    const after = await readDriftWatch(temporal.client, tenant, 2_000);
    expect(after).toEqual({ tenant, silent: 'no-worker' });
    expect(isSilent(after) && explainSilence(after)).toContain(`no worker answers for drift/${tenant}`);
    const { events } = await temporal.client.workflow.getHandle(driftWorkflowId(tenant)).fetchHistory();
    expect(events?.flatMap(({ workflowExecutionSignaledEventAttributes: signal }) => signal?.signalName ?? [])).toEqual(['pause']);
  });

  it('is an error where Temporal itself does not answer', async () => {
    const closed = await connectTemporal(undefined);
    await closed.close();
    await expect(readDriftWatch(closed.client, tenant, 2_000)).rejects.toThrow();
  });
});
