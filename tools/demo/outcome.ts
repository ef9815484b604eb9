import type { Client } from '@temporalio/client';
import { requestResults } from '../../clients/sync-result.ts';
import type { RunOutcome, TargetOutcome } from '../../domain/status.ts';
import type { Answer } from './webhook.ts';

const WITHIN_MS = 60_000;

/** Waits for the run that a webhook led to, and gives how its request ended. */
export async function outcomeOf(client: Client, answer: Answer, requestId: string): Promise<RunOutcome> {
  if (answer.workflowId === undefined) throw new Error(`the webhook was answered ${answer.code}: ${answer.status}${answer.why ? `, ${answer.why}` : ''}`);
  const handle = client.workflow.getHandle(answer.workflowId, answer.runId);
  const results = await client.withDeadline(Date.now() + WITHIN_MS, () => requestResults(handle));
  const found = results.requests.find(({ id }) => id === requestId);
  if (!found) throw new Error(`the run of ${answer.workflowId} ended without a word about request ${requestId}`);
  return found.outcome;
}

/** What a run did, in a few words: `3 places, 30 keys put`. */
export function tellWork(outcome: RunOutcome): string {
  const count = (status: TargetOutcome['status']): number => outcome.targets.filter((target) => target.status === status).length;
  const written = outcome.targets.filter((target) => target.status === 'Synced');
  const puts = written.reduce((sum, target) => sum + (target.changes?.puts ?? 0), 0);
  const deletes = written.reduce((sum, target) => sum + (target.changes?.deletes ?? 0), 0);
  const parts = [
    written.length > 0 && `${written.length} places written: ${puts} keys put${deletes > 0 ? `, ${deletes} deleted` : ''}`,
    count('Restored') > 0 && `${count('Restored')} put back`,
    count('Failed') > 0 && `${count('Failed')} refused`,
  ].filter(Boolean);
  return parts.length > 0 ? parts.join(', ') : 'nothing written';
}

/** The run and its targets as lines: what the Temporal UI shows on the run's page, each reason once. */
export function tellOutcome({ status, summary, problems, targets }: RunOutcome): string[] {
  const isNew = (text: string): boolean => !summary.includes(text);
  return [
    `${status}: ${summary}`,
    ...problems.filter(isNew).map((problem) => `  ${problem}`),
    ...targets.map(({ sink, place, status: end, message = '' }) => `  ${sink} ${place}: ${end}${isNew(message) ? `: ${message}` : ''}`),
  ];
}
