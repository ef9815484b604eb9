import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import pLimit from 'p-limit';
import { checkNowSignal, driftWorkflowId, type DriftWatchInput } from '../workflows/messages.ts';
import { searchAttributes } from '../workflows/search-attributes.ts';

const CONCURRENCY = 8;

/** Makes sure that every tenant has its DriftWatch workflow; one that runs already goes on. */
export async function startDriftWatches(client: Client, tenants: readonly string[], taskQueue: string): Promise<void> {
  await each(tenants, async (tenant) => {
    await client.workflow.start('driftWatchWorkflow', { ...optionsOf(tenant, taskQueue), workflowIdConflictPolicy: 'USE_EXISTING' });
  });
}

/** The same, and lets each check everything now: the bundle may be another one than it knows, and what happened while no worker ran is found. */
export async function wakeDriftWatches(client: Client, tenants: readonly string[], taskQueue: string): Promise<void> {
  await each(tenants, async (tenant) => {
    await client.workflow.signalWithStart('driftWatchWorkflow', { ...optionsOf(tenant, taskQueue), signal: checkNowSignal, signalArgs: [{ onReload: true }] });
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

function optionsOf(tenant: string, taskQueue: string) {
  return {
    workflowId: driftWorkflowId(tenant),
    taskQueue,
    args: [{ tenant } satisfies DriftWatchInput],
    staticSummary: `${tenant}: drift and pause`,
    typedSearchAttributes: [{ key: searchAttributes.tenant, value: tenant }],
  };
}

async function each(tenants: readonly string[], act: (tenant: string) => Promise<void>): Promise<void> {
  const limit = pLimit(CONCURRENCY);
  await Promise.all(tenants.map((tenant) => limit(() => act(tenant))));
}
