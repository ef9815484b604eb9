import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { matchGlob } from '../clients/glob.ts';
import { startSync } from '../clients/start-sync.ts';
import { streamsOf } from '../domain/streams.ts';
import { syncWorkflowId } from '../workflows/messages.ts';
import { searchAttributes } from '../workflows/search-attributes.ts';
import type { RequestSyncInput } from './activity-types.ts';
import { attempt } from './attempt.ts';
import type { ActivityDeps } from './deps.ts';

/** Starts a run for every stream of a tenant at its head. Where nothing moved, the run finds that out and writes nothing. */
export async function requestSync(deps: ActivityDeps, { tenant, by }: RequestSyncInput): Promise<{ streams: number }> {
  return attempt(`tenant ${tenant}`, async ({ signal }) => {
    const found = deps.bundle().tenants[tenant];
    if (!found) return { streams: 0 };
    const id = Context.current().info.activityId;
    const { runId } = Context.current().info.workflowExecution ?? {};
    let streams = 0;
    for (const [repository, settings] of Object.entries(found.repositories)) {
      const heads = await deps.git.heads(settings, signal);
      for (const { stream, event, commit } of streamsOf(found, repository, heads, matchGlob)) {
        const trigger = event.kind === 'pull-request' ? await parkedTrigger(deps.client, syncWorkflowId(tenant, repository, stream)) : 'resume';
        if (trigger === null) continue;
        await startSync(
          deps.client,
          { tenant, repository, stream },
          { id: `resume/${runId ?? ''}/${id}/${stream}`, trigger, ref: event, commit, by },
          { taskQueue: deps.taskQueue, signal },
        );
        streams++;
      }
    }
    return { streams };
  });
}

/**
 * What a stream of a pull request was parked at; null if it was not. Forges keep the refs of closed ones for ever, so only what the pause held up says
 * which are to be made, and which given up.
 */
async function parkedTrigger(client: Client, workflowId: string): Promise<'resume' | 'closed' | null> {
  try {
    const { typedSearchAttributes: found } = await client.workflow.getHandle(workflowId).describe();
    if (found.get(searchAttributes.status) !== 'Parked') return null;
    return found.get(searchAttributes.trigger) === 'closed' ? 'closed' : 'resume';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}
