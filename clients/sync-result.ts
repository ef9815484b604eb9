import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { SyncResult } from '../workflows/messages.ts';

/**
 * Waits for a SyncWorkflow run and gives what it says of its requests, also when it ended as a failed workflow because one of them needs a person.
 * Anything else that ends a run (terminated, cancelled, Temporal not reachable) throws.
 */
export async function requestResults(handle: WorkflowHandle): Promise<SyncResult> {
  try {
    return (await handle.result()) as SyncResult;
  } catch (error) {
    const failure = error instanceof WorkflowFailedError ? error.cause : undefined;
    const [result] = failure instanceof ApplicationFailure ? (failure.details ?? []) : [];
    if (isSyncResult(result)) return result;
    throw error;
  }
}

function isSyncResult(candidate: unknown): candidate is SyncResult {
  return typeof candidate === 'object' && candidate !== null && 'requests' in candidate && Array.isArray(candidate.requests);
}
