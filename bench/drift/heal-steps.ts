import type { Client } from '@temporalio/client';
import { driftWorkflowId, syncWorkflowId } from '../../workflows/messages.ts';

/** In the order in which they come. */
export const STEPS = [
  'told',
  'check scheduled',
  'check begins',
  'check ends',
  'handing over begins',
  'handing over ends',
  'run begins',
  'prepare begins',
  'prepare ends',
  'write begins',
  'seen',
  'write ends',
] as const;

type Step = (typeof STEPS)[number];

/** Milliseconds since the edit. */
export type Steps = Readonly<Partial<Record<Step, number>>>;

interface Happening {
  readonly type: string;
  readonly moment: 'signaled' | 'scheduled' | 'begins' | 'ends';
  readonly at: number;
}

/** When what came of an edit began and ended, by the histories of the watch and of the run that healed it. */
export async function stepsOf(client: Client, tenant: string, edited: number): Promise<Steps> {
  const [watch, run] = await Promise.all([driftWorkflowId(tenant), syncWorkflowId(tenant, 'config', 'main')].map((id) => happeningsOf(client, id, edited)));
  const at = (happenings: readonly Happening[] | undefined, type: string, moment: Happening['moment'], before = Number.POSITIVE_INFINITY): number | undefined =>
    happenings?.findLast((each) => each.type === type && each.moment === moment && each.at <= before)?.at;
  const first = (happenings: readonly Happening[] | undefined, type: string, moment: Happening['moment']): number | undefined =>
    happenings?.find((each) => each.type === type && each.moment === moment)?.at;
  // The check that led to the heal is the last that ended before the handing over.
  const handed = first(watch, 'startRuns', 'scheduled');
  const began: Steps = {
    told: first(watch, 'checkNow', 'signaled') ?? Number.NaN,
    'check scheduled': at(watch, 'checkTenant', 'scheduled', handed) ?? Number.NaN,
    'check begins': at(watch, 'checkTenant', 'begins', handed) ?? Number.NaN,
    'check ends': at(watch, 'checkTenant', 'ends', handed) ?? Number.NaN,
    'handing over begins': first(watch, 'startRuns', 'begins') ?? Number.NaN,
    'handing over ends': first(watch, 'startRuns', 'ends') ?? Number.NaN,
    'run begins': run?.[0]?.at ?? Number.NaN,
    'prepare begins': first(run, 'prepare', 'begins') ?? Number.NaN,
    'prepare ends': first(run, 'prepare', 'ends') ?? Number.NaN,
    'write begins': first(run, 'applyTarget', 'begins') ?? Number.NaN,
    'write ends': first(run, 'applyTarget', 'ends') ?? Number.NaN,
  };
  return Object.fromEntries(Object.entries(began).flatMap(([step, time]) => (Number.isNaN(time) ? [] : [[step, time - edited]])));
}

async function happeningsOf(client: Client, workflowId: string, since: number): Promise<readonly Happening[]> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const types = new Map<string, string>();
  const typeOf = (id: unknown): string => types.get(String(id)) ?? '';
  return (events ?? [])
    .flatMap((event): Happening[] => {
      const at = Number(event.eventTime?.seconds) * 1_000 + (event.eventTime?.nanos ?? 0) / 1_000_000;
      const { workflowExecutionSignaledEventAttributes: signaled, activityTaskScheduledEventAttributes: scheduled } = event;
      const { activityTaskStartedEventAttributes: begun, activityTaskCompletedEventAttributes: ended } = event;
      if (signaled) return [{ type: signaled.signalName ?? '', moment: 'signaled', at }];
      if (scheduled) {
        const type = scheduled.activityType?.name ?? '';
        types.set(String(event.eventId), type);
        return [{ type, moment: 'scheduled', at }];
      }
      if (begun) return [{ type: typeOf(begun.scheduledEventId), moment: 'begins', at }];
      if (ended) return [{ type: typeOf(ended.scheduledEventId), moment: 'ends', at }];
      return event.workflowExecutionStartedEventAttributes ? [{ type: 'run', moment: 'begins', at }] : [];
    })
    .filter(({ at }) => at >= since);
}
