import type { Payload } from '@temporalio/common';
import type proto from '@temporalio/proto';
import pLimit from 'p-limit';
import { codecKeyIdOf } from './payload-codec.ts';
import type { Temporal } from './temporal.ts';

type Execution = proto.temporal.api.common.v1.IWorkflowExecution;

/** The keys that one run of a workflow needs to be read. */
export interface RunKeys {
  readonly workflowId: string;
  readonly runId: string;
  /** ISO 8601; undefined while it is open. */
  readonly closedAt?: string;
  /** Ids; empty where nothing is encrypted. */
  readonly keyIds: readonly string[];
}

const AT_ONCE = 8;
const PAGE_SIZE = 200;
const NOT_FOUND = 5;

/** The keys of every run of a deployment that Temporal still has, open or closed. Reads each history whole, as it is: no key is needed for it. */
export async function* codecKeyUse(temporal: Temporal, taskQueue: string): AsyncGenerator<RunKeys> {
  const { connection, namespace } = temporal;
  const query = `TaskQueue = '${taskQueue.replaceAll("'", "''")}' AND WorkflowType IN ('syncWorkflow', 'driftWatchWorkflow')`;
  const limit = pLimit(AT_ONCE);
  let nextPageToken: Uint8Array | null | undefined;
  do {
    // Not by the client: that would decrypt the memos.
    const page: proto.temporal.api.workflowservice.v1.IListWorkflowExecutionsResponse = await connection.workflowService.listWorkflowExecutions({
      namespace,
      query,
      pageSize: PAGE_SIZE,
      ...(nextPageToken && { nextPageToken }),
    });
    const found = await Promise.all((page.executions ?? []).map(({ execution }) => limit(() => keysOfRun(temporal, execution ?? {}))));
    for (const run of found) if (run) yield run;
    ({ nextPageToken } = page);
  } while (nextPageToken?.length);
}

/** Undefined for a run that Temporal does not have, or no longer. Without a run id it is the latest run. */
export async function keysOfRun(temporal: Temporal, { workflowId, runId }: Execution): Promise<RunKeys | undefined> {
  const { connection, namespace } = temporal;
  const keyIds = new Set<string>();
  try {
    const asked = { workflowId: workflowId ?? '', ...(runId && { runId }) };
    // Memo, summary, and what failed activities of an open run have said last.
    const description = await connection.workflowService.describeWorkflowExecution({ namespace, execution: asked });
    collectKeyIds(description, keyIds);
    const execution = { workflowId: asked.workflowId, runId: description.workflowExecutionInfo?.execution?.runId ?? '' };
    let nextPageToken: Uint8Array | null | undefined;
    do {
      const page: proto.temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryResponse = await connection.workflowService.getWorkflowExecutionHistory({
        namespace,
        execution,
        ...(nextPageToken && { nextPageToken }),
      });
      collectKeyIds(page.history, keyIds);
      ({ nextPageToken } = page);
    } while (nextPageToken?.length);
    const closeTime = description.workflowExecutionInfo?.closeTime;
    return { ...execution, ...(closeTime && { closedAt: new Date(Number(closeTime.seconds) * 1_000).toISOString() }), keyIds: [...keyIds] };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === NOT_FOUND) return undefined;
    throw error;
  }
}

/** From every payload of a message, wherever it is in there. */
function collectKeyIds(part: unknown, found: Set<string>): void {
  if (typeof part !== 'object' || part === null || part instanceof Uint8Array) return;
  if ('metadata' in part && 'data' in part) {
    const id = codecKeyIdOf(part as Payload);
    if (id !== undefined) found.add(id);
  }
  for (const value of Object.values(part)) collectKeyIds(value, found);
}
