import { type Client, ServiceError } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import pLimit from 'p-limit';
import { checkNowSignal, driftWorkflowId, PAUSE_MEMO, type DriftWatchInput, type Pause } from '../workflows/messages.ts';
import { searchAttributes } from '../workflows/search-attributes.ts';

const CONCURRENCY = 8;

/** Makes sure that every tenant has its DriftWatch workflow; one that runs already goes on. */
export async function startDriftWatches(client: Client, tenants: readonly string[], taskQueue: string): Promise<void> {
  await each(tenants, async (tenant) => {
    await client.workflow.start('driftWatchWorkflow', { ...(await optionsOf(client, tenant, taskQueue)), workflowIdConflictPolicy: 'USE_EXISTING' });
  });
}

/** The same, and lets each check everything now: the bundle may be another one than it knows, and what happened while no worker ran is found. */
export async function wakeDriftWatches(client: Client, tenants: readonly string[], taskQueue: string): Promise<void> {
  await each(tenants, async (tenant) => {
    const options = await optionsOf(client, tenant, taskQueue);
    await client.workflow.signalWithStart('driftWatchWorkflow', { ...options, signal: checkNowSignal, signalArgs: [{ onReload: true }] });
  });
}

/** Lets the watches of tenants that the bundle no longer has find that out. */
export async function retireDriftWatches(client: Client, tenants: readonly string[]): Promise<void> {
  await each(tenants, async (tenant) => {
    try {
      await client.workflow.getHandle(driftWorkflowId(tenant)).signal(checkNowSignal, { onReload: true });
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  });
}

async function optionsOf(client: Client, tenant: string, taskQueue: string) {
  const pause = await pauseLeftBy(client, tenant);
  return {
    workflowId: driftWorkflowId(tenant),
    taskQueue,
    args: [{ tenant, ...(pause && { pause }) } satisfies DriftWatchInput] as [DriftWatchInput],
    ...(pause && { memo: { [PAUSE_MEMO]: pause } }),
    staticSummary: `${tenant}: drift and pause`,
    typedSearchAttributes: [{ key: searchAttributes.tenant, value: tenant }],
  };
}

/** A watch that was terminated by hand leaves its pause behind, which nobody has ended: the next one takes it over (I12). */
async function pauseLeftBy(client: Client, tenant: string): Promise<Pause | null> {
  try {
    const { status, memo } = await client.workflow.getHandle(driftWorkflowId(tenant)).describe();
    return status.name === 'RUNNING' ? null : ((memo?.[PAUSE_MEMO] as Pause | null | undefined) ?? null);
  } catch (error) {
    // What cannot be decoded any more must not keep a worker from starting: whoever drops a codec key too early sets pauses again.
    if (error instanceof WorkflowNotFoundError || !(error instanceof ServiceError)) return null;
    throw error;
  }
}

async function each(tenants: readonly string[], act: (tenant: string) => Promise<void>): Promise<void> {
  const limit = pLimit(CONCURRENCY);
  await Promise.all(tenants.map((tenant) => limit(() => act(tenant))));
}
