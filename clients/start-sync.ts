import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
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
      ...startOptions(stream, request, options),
      args: [{ tenant, repository, stream: name } satisfies SyncInput],
      signal: pushSignal,
      signalArgs: [request],
    });
  const handle = await (options.signal ? client.withAbortSignal(options.signal, start) : start());
  return { workflowId: handle.workflowId, runId: handle.signaledRunId };
}

/**
 * Starts a run for a request that must not join another: no run may work on the stream, and the last one must have failed, or, with `after: 'any'`, have ended
 * in any way. Else it does nothing and gives null.
 */
export async function startSyncAlone(
  client: Client,
  stream: Omit<SyncInput, 'carried'>,
  request: SyncRequest,
  options: StartSyncOptions & { readonly after: 'failed' | 'any' },
): Promise<StartedSync | null> {
  const { tenant, repository, stream: name } = stream;
  const start = () =>
    client.workflow.start('syncWorkflow', {
      ...startOptions(stream, request, options),
      args: [{ tenant, repository, stream: name, carried: [request] } satisfies SyncInput],
      workflowIdConflictPolicy: 'FAIL',
      workflowIdReusePolicy: options.after === 'failed' ? 'ALLOW_DUPLICATE_FAILED_ONLY' : 'ALLOW_DUPLICATE',
    });
  try {
    const handle = await (options.signal ? client.withAbortSignal(options.signal, start) : start());
    return { workflowId: handle.workflowId, runId: handle.firstExecutionRunId };
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return null;
    throw error;
  }
}

function startOptions({ tenant, repository, stream: name }: Omit<SyncInput, 'carried'>, request: SyncRequest, { taskQueue }: StartSyncOptions) {
  return {
    workflowId: syncWorkflowId(tenant, repository, name),
    taskQueue,
    // A tenant that floods the queue waits for itself.
    priority: { fairnessKey: tenant },
    staticSummary: `${tenant}: ${repository} ${name}`.slice(0, 200),
    typedSearchAttributes: [
      { key: searchAttributes.tenant, value: tenant },
      { key: searchAttributes.repository, value: repository },
      { key: searchAttributes.stream, value: name },
      { key: searchAttributes.trigger, value: request.trigger },
    ],
  };
}
