import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { Activities, PlanStreamInput, StreamPlan } from '../activities/activity-types.ts';

// A person waits for it: it gives up where a run would go on trying.
const { planStream } = proxyActivities<Pick<Activities, 'planStream'>>({
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  heartbeatTimeout: '15s',
  startToCloseTimeout: '10m',
  scheduleToCloseTimeout: '10m',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumAttempts: 4 },
});

/** Tells what a commit would change, with the worker's credentials and beside the runs: it takes no lock and writes nothing. */
export async function planWorkflow(input: PlanStreamInput): Promise<StreamPlan> {
  return planStream(input);
}
