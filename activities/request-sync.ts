import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { matchGlob } from '../clients/glob.ts';
import { startSync } from '../clients/start-sync.ts';
import type { Tenant } from '../domain/bundle.ts';
import { streamsOf } from '../domain/streams.ts';
import { syncWorkflowId } from '../workflows/messages.ts';
import { searchAttributes } from '../workflows/search-attributes.ts';
import type { RequestSyncInput } from './activity-types.ts';
import { attempt } from './attempt.ts';
import type { ActivityDeps } from './deps.ts';

/**
 * Starts a run for every stream of a tenant at its head. Where nothing moved, the run finds that out and writes nothing. A repository that does not answer
 * keeps no other from going on; then it fails, and whoever retries finds the others done.
 */
export async function requestSync(deps: ActivityDeps, { tenant, by }: RequestSyncInput): Promise<{ streams: number }> {
  return attempt(`tenant ${tenant}`, async ({ signal }) => {
    const found = deps.bundle().tenants[tenant];
    if (!found) return { streams: 0 };
    const failures: unknown[] = [];
    let streams = 0;
    for (const repository of Object.keys(found.repositories)) {
      try {
        streams += await startStreams(deps, found, { tenant, repository, by }, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return { streams };
  });
}

async function startStreams(
  { git, client, taskQueue }: ActivityDeps,
  found: Tenant,
  { tenant, repository, by }: { readonly tenant: string; readonly repository: string; readonly by: string },
  signal: AbortSignal,
): Promise<number> {
  const settings = found.repositories[repository];
  if (!settings) return 0;
  const { activityId, workflowExecution } = Context.current().info;
  const heads = await git.heads(settings, signal);
  let streams = 0;
  for (const { stream, event, commit } of streamsOf(found, repository, heads, matchGlob)) {
    const trigger = event.kind === 'pull-request' ? await parkedTrigger(client, syncWorkflowId(tenant, repository, stream)) : 'resume';
    if (trigger === null) continue;
    const id = `resume/${workflowExecution?.runId ?? ''}/${activityId}/${stream}`;
    await startSync(client, { tenant, repository, stream }, { id, trigger, ref: event, commit, by }, { taskQueue, signal });
    streams++;
  }
  return streams;
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
