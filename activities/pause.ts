import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { driftWorkflowId, PAUSE_MEMO, type Pause } from '../workflows/messages.ts';

/** Reads the pause that the tenant's DriftWatch workflow keeps in its memo. No workflow, no pause; anything else that fails throws (I12). */
export function createPauseReader(client: Client): (tenant: string) => Promise<Pause | null> {
  return async (tenant) => {
    try {
      const { memo } = await client.workflow.getHandle(driftWorkflowId(tenant)).describe();
      const pause = memo?.[PAUSE_MEMO] as Pause | null | undefined;
      return pause && (pause.until === undefined || Date.parse(pause.until) > Date.now()) ? pause : null;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    }
  };
}

export function parkedMessage(pause: Pause): string {
  return `paused by ${pause.by} since ${pause.since}: ${pause.reason}; "vartrack resume" applies the newest commit`;
}
