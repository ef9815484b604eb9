import type { Client } from '@temporalio/client';
import { driftWorkflowId, type DriftWatchInput } from '../workflows/messages.ts';
import { searchAttributes } from '../workflows/search-attributes.ts';

/** Makes sure that every tenant has its DriftWatch workflow; one that runs already goes on. */
export async function startDriftWatches(client: Client, tenants: readonly string[], taskQueue: string): Promise<void> {
  for (const tenant of tenants) {
    await client.workflow.start('driftWatchWorkflow', {
      workflowId: driftWorkflowId(tenant),
      taskQueue,
      args: [{ tenant } satisfies DriftWatchInput],
      workflowIdConflictPolicy: 'USE_EXISTING',
      staticSummary: `${tenant}: drift and pause`,
      typedSearchAttributes: [{ key: searchAttributes.tenant, value: tenant }],
    });
  }
}
