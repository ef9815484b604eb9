import type { Client } from '@temporalio/client';
import { decodeOptionalFailureToOptionalError } from '@temporalio/common/lib/internal-non-workflow/index.js';

/** An activity of a running workflow that failed and is tried again. */
export interface PendingRetry {
  readonly activity: string;
  /** Of the try that comes next, or goes on. */
  readonly attempt: number;
  /** How the last try failed. */
  readonly message: string;
  /** ISO 8601: when it was asked for first. */
  readonly since?: string;
}

/** What a run waits for, from Temporal itself: no worker has to answer. Empty where nothing has failed so far. */
export async function pendingRetries(client: Client, workflowId: string, runId: string): Promise<readonly PendingRetry[]> {
  const { raw } = await client.workflow.getHandle(workflowId, runId).describe();
  const failed = (raw.pendingActivities ?? []).filter(({ lastFailure }) => lastFailure);
  return Promise.all(
    failed.map(async ({ activityType, attempt, lastFailure, scheduledTime }) => {
      const error = await decodeOptionalFailureToOptionalError(client.options.loadedDataConverter, lastFailure);
      return {
        activity: activityType?.name ?? 'activity',
        attempt: attempt ?? 1,
        message: error?.message ?? 'it did not say why',
        ...(scheduledTime?.seconds && { since: new Date(Number(scheduledTime.seconds) * 1_000).toISOString() }),
      };
    }),
  );
}
