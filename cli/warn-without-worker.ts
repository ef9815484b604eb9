import proto from '@temporalio/proto';
import type { Temporal } from '../clients/temporal.ts';

/** Says on standard error that nobody will do what was asked for; a person would wait and not know for what. */
export async function warnWithoutWorker({ connection, namespace }: Temporal, taskQueue: string): Promise<void> {
  const { TASK_QUEUE_TYPE_WORKFLOW } = proto.temporal.api.enums.v1.TaskQueueType;
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: TASK_QUEUE_TYPE_WORKFLOW,
  });
  if ((pollers?.length ?? 0) > 0) return;
  process.stderr.write(`No worker has asked for work on the task queue "${taskQueue}" lately; start one with "vartrack worker", or set VARTRACK_TASK_QUEUE.\n`);
}
