import { ActivityCancellationType, proxyActivities, proxyLocalActivities, type ActivityOptions } from '@temporalio/workflow';
import type { Activities, ApplyTargetInput, Applied, PrepareInput, Prepared, RestoreTargetInput, Restored } from '../activities/activity-types.ts';

// The cancellation type is written out: what the SDK sends without it is TRY_CANCEL, and an undo would then race the write that it undoes.
const common = {
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  heartbeatTimeout: '15s',
} as const satisfies ActivityOptions;

/** Retried without limit: a request that was accepted is acted on when Git and Temporal are back (I9). What cannot get better is not retryable. */
const patient = { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' } as const;

const { prepare, applyTarget, restoreTarget } = proxyActivities<Activities>({ ...common, startToCloseTimeout: '10m' });
export const { requestSync } = proxyActivities<Pick<Activities, 'requestSync'>>({
  ...common,
  startToCloseTimeout: '2m',
  retry: patient,
  summary: 'start every stream at its head',
});
export const { report } = proxyLocalActivities<Pick<Activities, 'report'>>({ startToCloseTimeout: '10s', retry: { maximumAttempts: 3 } });

export function prepareStream(input: PrepareInput): Promise<Prepared> {
  const summary = limited(`${input.repository}/${input.stream}: fetch, validate, compare`);
  return prepare.executeWithOptions({ ...common, startToCloseTimeout: '10m', retry: patient, summary }, [input]);
}

/** Retried until `timeoutMs` is over; then the target has failed for good. */
export function writeTarget(input: ApplyTargetInput, timeoutMs: number): Promise<Applied> {
  const retry = { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' } as const;
  const summary = limited(`write ${input.target.sink} ${input.target.place}`);
  return applyTarget.executeWithOptions({ ...common, startToCloseTimeout: timeoutMs, scheduleToCloseTimeout: timeoutMs, retry, summary }, [input]);
}

export function undoTarget(input: RestoreTargetInput): Promise<Restored> {
  const summary = limited(`restore ${input.target.sink} ${input.target.place}`);
  return restoreTarget.executeWithOptions({ ...common, startToCloseTimeout: '5m', retry: patient, summary }, [input]);
}

/** Temporal refuses a summary of more than 400 bytes. */
function limited(summary: string): string {
  return summary.length <= 100 ? summary : `${summary.slice(0, 99)}…`;
}
