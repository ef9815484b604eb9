import { ActivityCancellationType, proxyActivities, proxyLocalActivities, workflowInfo, type ActivityOptions } from '@temporalio/workflow';
import type {
  Activities,
  ApplyTargetInput,
  Applied,
  CheckTenantInput,
  PrepareInput,
  Prepared,
  RestoreTargetInput,
  Restored,
  StartRunsInput,
  WatchActivities,
} from '../activities/activity-types.ts';

// The cancellation type is written out: what the SDK sends without it is TRY_CANCEL, and an undo would then race the write that it undoes.
const common = {
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  heartbeatTimeout: '15s',
} as const satisfies ActivityOptions;

/** Retried without limit: a request that was accepted is acted on when Git and Temporal are back (I9). What cannot get better is not retryable. */
const patient = { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' } as const;

const { prepare, applyTarget, restoreTarget, checkTenant, startRuns } = proxyActivities<Activities>({ ...common, startToCloseTimeout: '10m' });
const { watchTenant } = proxyActivities<WatchActivities>({ startToCloseTimeout: '24h' });
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

/** Gives up after some attempts, so that the watch can say that it does not know; the next check is due soon anyway. */
export function checkTargets(input: CheckTenantInput): ReturnType<Activities['checkTenant']> {
  const { tenant, groups, polls, targets } = input;
  const what = [
    ...(groups === 'all' ? ['everything'] : groups.map(({ intervalMs }) => `what is due each ${intervalMs / 1000} s`)),
    ...(polls.length > 0 ? ['heads'] : []),
    ...(targets.length > 0 ? [targets.length === 1 ? (targets[0] ?? '') : `${targets.length} targets`] : []),
  ];
  // Pushes go first.
  const priority = { priorityKey: targets.length > 0 ? 3 : 4, fairnessKey: tenant };
  const retry = { ...patient, maximumAttempts: 6 };
  return checkTenant.executeWithOptions({ ...common, startToCloseTimeout: '10m', retry, priority, summary: limited(`check ${what.join(', ')}`) }, [input]);
}

export function startWantedRuns(input: StartRunsInput): Promise<void> {
  const summary = limited(input.runs.map(({ stream, request }) => `${request.trigger} ${stream}`).join(', '));
  return startRuns.executeWithOptions({ ...common, startToCloseTimeout: '2m', retry: patient, summary }, [input]);
}

/** Lasts until it is cancelled, which is not waited for: another run holds the subscriptions then. */
export function holdSubscriptions(tenant: string): Promise<void> {
  const retry = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '60s' } as const;
  return watchTenant.executeWithOptions(
    {
      taskQueue: `${workflowInfo().taskQueue}-watch`,
      cancellationType: ActivityCancellationType.TRY_CANCEL,
      startToCloseTimeout: '24h',
      // No longer than the usual interval, after which everything is looked at anyway.
      heartbeatTimeout: '60s',
      retry,
      summary: 'hold the subscriptions',
    },
    [{ tenant }],
  );
}

/** Temporal refuses a summary of more than 400 bytes. */
function limited(summary: string): string {
  return summary.length <= 100 ? summary : `${summary.slice(0, 99)}…`;
}
