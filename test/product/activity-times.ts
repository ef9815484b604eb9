import type { Client } from '@temporalio/client';

/** When an activity of a run was scheduled, and from when to when its last attempt worked; milliseconds. */
export interface ActivityTimes {
  readonly summary: string;
  readonly scheduled: number;
  readonly started: number;
  readonly ended: number;
}

interface Timestamp {
  readonly seconds?: unknown;
  readonly nanos?: number | null;
}

/** Of all activities of a type that ended well, as Temporal's history of the newest run has them, in the order in which they were scheduled. */
export async function activityTimes(client: Client, workflowId: string, type: string): Promise<readonly ActivityTimes[]> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const found = new Map<string, ActivityTimes>();
  const change = (id: unknown, times: Partial<ActivityTimes>): void => {
    const known = found.get(String(id));
    if (known) found.set(String(id), { ...known, ...times });
  };
  for (const event of events ?? []) {
    const at = millisecondsOf(event.eventTime ?? {});
    const made = event.activityTaskScheduledEventAttributes;
    if (made?.activityType?.name === type) {
      const summary = JSON.parse(Buffer.from(event.userMetadata?.summary?.data ?? 'null').toString()) as string;
      found.set(String(event.eventId), { summary, scheduled: at, started: NaN, ended: NaN });
    }
    if (event.activityTaskStartedEventAttributes) change(event.activityTaskStartedEventAttributes.scheduledEventId, { started: at });
    if (event.activityTaskCompletedEventAttributes) change(event.activityTaskCompletedEventAttributes.scheduledEventId, { ended: at });
  }
  return [...found.values()].filter(({ ended }) => !Number.isNaN(ended));
}

function millisecondsOf({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1_000 + (nanos ?? 0) / 1_000_000;
}
