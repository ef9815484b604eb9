import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { startDriftWatches, wakeDriftWatches } from '../../clients/start-drift-watch.ts';
import { connectTemporal, registerSearchAttributes, type Temporal } from '../../clients/temporal.ts';
import { driftWorkflowId, type Pause } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';

const PAUSE: Pause = { by: 'ann', reason: 'maintenance', since: '2026-01-31T18:00:00.000Z' };

describeWith('temporal', 'a watch that was terminated by hand', () => {
  let temporal: Temporal;
  beforeAll(async () => {
    const { address, namespace } = inject('temporal');
    process.env['TEMPORAL_ADDRESS'] = address;
    process.env['TEMPORAL_NAMESPACE'] = namespace;
    temporal = await connectTemporal(undefined);
    await registerSearchAttributes(temporal.connection, temporal.namespace);
  });
  afterAll(() => temporal?.close());

  // Nobody works on the queues: what a new run is given is what it begins with.
  it.each([
    ['starts', startDriftWatches],
    ['wakes', wakeDriftWatches],
  ])('is paused as before when a process %s the watches (I12)', async (_, start) => {
    const tenant = `t-${randomUUID().slice(0, 8)}`;
    const [workflowId, taskQueue] = [driftWorkflowId(tenant), `nobody-${tenant}`];
    const handle = temporal.client.workflow.getHandle(workflowId);
    await start(temporal.client, [tenant], taskQueue);
    expect((await handle.describe()).memo).toEqual({});
    await handle.terminate();
    await temporal.client.workflow.start('driftWatchWorkflow', { workflowId, taskQueue, args: [{ tenant, pause: PAUSE }], memo: { pause: PAUSE } });
    await handle.terminate();
    await start(temporal.client, [tenant], taskQueue);
    const { status, memo } = await handle.describe();
    expect([status.name, memo]).toEqual(['RUNNING', { pause: PAUSE }]);
    const [{ workflowExecutionStartedEventAttributes: started } = {}] = (await handle.fetchHistory()).events ?? [];
    const [input] = started?.input?.payloads ?? [];
    expect(JSON.parse(Buffer.from(input?.data ?? []).toString())).toEqual({ tenant, pause: PAUSE });
    await handle.terminate();
  });
});
