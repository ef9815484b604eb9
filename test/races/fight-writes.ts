import type { Client } from '@temporalio/client';
import type { ApplyTargetInput } from '../../activities/activity-types.ts';
import { syncWorkflowId, type Trigger } from '../../workflows/messages.ts';
import type { WriteRecord } from './controlled-sinks.ts';

/** What a write was asked for by. */
export interface WriteOrigin {
  readonly trigger: Trigger;
  readonly by: string | undefined;
  readonly commit: string;
}

/** By the id of each write, from the histories of the runs that made them. */
export async function triggersOf(client: Client, tenant: string, records: readonly WriteRecord[]): Promise<ReadonlyMap<string, WriteOrigin>> {
  const runs = new Map(records.flatMap((record) => (record.plan ? [[runOf(record), record.plan.ledger.stream.replace('config/', '')]] : [])));
  const histories = await Promise.all(
    [...runs].map(([runId, stream]) => client.workflow.getHandle(syncWorkflowId(tenant, 'config', stream ?? ''), runId).fetchHistory()),
  );
  const inputs = histories.flatMap(({ events }) =>
    (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) => {
      if (scheduled?.activityType?.name !== 'applyTarget') return [];
      return JSON.parse(Buffer.from(scheduled.input?.payloads?.[0]?.data ?? []).toString()) as ApplyTargetInput;
    }),
  );
  return new Map(inputs.map(({ write, commit, request }) => [write, { trigger: request.trigger, by: request.by, commit }]));
}

/** The ids of writes, and of what undoes them, begin with that of their run. */
export function runOf({ write, ledger }: WriteRecord): string {
  return (write ?? ledger?.write ?? '').replace(/^undo:/, '').replace(/\/.*$/s, '');
}
