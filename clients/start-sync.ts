import type { Client } from '@temporalio/client';
import { pushSignal, syncWorkflowId, type SyncInput, type SyncRequest } from '../workflows/messages.ts';
import { searchAttributes } from '../workflows/search-attributes.ts';

export interface StartedSync {
  readonly workflowId: string;
  readonly runId: string;
}

export interface StartSyncOptions {
  readonly taskQueue: string;
  readonly signal?: AbortSignal;
}

/**
 * Hands a request to the SyncWorkflow of its stream: starts a run, or joins the one that works. The run is durable when this returns; a failure may
 * still have started it, so whoever repeats the request repeats its id.
 */
export async function startSync(client: Client, stream: Omit<SyncInput, 'carried'>, request: SyncRequest, options: StartSyncOptions): Promise<StartedSync> {
  const { tenant, repository, stream: name } = stream;
  const start = () =>
    client.workflow.signalWithStart('syncWorkflow', {
      workflowId: syncWorkflowId(tenant, repository, name),
      taskQueue: options.taskQueue,
      args: [{ tenant, repository, stream: name } satisfies SyncInput],
      signal: pushSignal,
      signalArgs: [request],
      // A tenant that floods the queue waits for itself.
      priority: { fairnessKey: tenant },
      staticSummary: `${tenant}: ${repository} ${name}`.slice(0, 200),
      typedSearchAttributes: [
        { key: searchAttributes.tenant, value: tenant },
        { key: searchAttributes.repository, value: repository },
        { key: searchAttributes.stream, value: name },
        { key: searchAttributes.trigger, value: request.trigger },
      ],
    });
  const handle = await (options.signal ? client.withAbortSignal(options.signal, start) : start());
  return { workflowId: handle.workflowId, runId: handle.signaledRunId };
}
