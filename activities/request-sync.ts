import { Context } from '@temporalio/activity';
import { matchGlob } from '../clients/glob.ts';
import { startSync } from '../clients/start-sync.ts';
import { streamsOf } from '../domain/streams.ts';
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
        await startSync(
          deps.client,
          { tenant, repository, stream },
          { id: `resume/${runId ?? ''}/${id}/${stream}`, trigger: 'resume', ref: event, commit, by },
          { taskQueue: deps.taskQueue, signal },
        );
        streams++;
      }
    }
    return { streams };
  });
}
