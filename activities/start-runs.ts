import pLimit from 'p-limit';
import { startSync } from '../clients/start-sync.ts';
import { idWithoutStream } from '../domain/target-ids.ts';
import type { StartRunsInput } from './activity-types.ts';
import { attempt } from './attempt.ts';
import type { ActivityDeps } from './deps.ts';

const CONCURRENCY = 8;

/** Hands requests to the SyncWorkflows of their streams. Repeating it is harmless: a run knows a request by its id. */
export async function startRuns(deps: ActivityDeps, { tenant, runs }: StartRunsInput): Promise<void> {
  await attempt(`tenant ${tenant}`, async ({ signal }) => {
    const limit = pLimit(CONCURRENCY);
    const started = await Promise.allSettled(
      runs.map(({ repository, stream, request }) =>
        limit(() =>
          startSync(
            deps.client,
            { tenant, repository, stream },
            { ...request, ...(request.only && { only: request.only.map(idWithoutStream) }) },
            { taskQueue: deps.taskQueue, signal },
          ),
        ),
      ),
    );
    const failed = started.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  });
}
