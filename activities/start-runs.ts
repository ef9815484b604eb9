import pLimit from 'p-limit';
import { startSync, startSyncAlone } from '../clients/start-sync.ts';
import { idWithoutStream } from '../domain/target-ids.ts';
import type { SyncRequest } from '../workflows/messages.ts';
import type { StartRunsInput, StreamName } from './activity-types.ts';
import { attempt } from './attempt.ts';
import { isClosed } from './check-heads.ts';
import type { ActivityDeps } from './deps.ts';
import { runsOf } from './stream-runs.ts';

const CONCURRENCY = 8;

/** Hands requests to the SyncWorkflows of their streams. Repeating it is harmless: a run knows a request by its id. */
export async function startRuns(deps: ActivityDeps, { tenant, runs }: StartRunsInput): Promise<void> {
  await attempt(`tenant ${tenant}`, async ({ signal }) => {
    const limit = pLimit(CONCURRENCY);
    const started = await Promise.allSettled(
      runs.map(({ repository, stream, request }) =>
        limit(async () => {
          const name = { tenant, repository, stream };
          if (request.trigger === 'closed') return cleanUp(deps, name, request, signal);
          const named = { ...request, ...(request.only && { only: request.only.map(idWithoutStream) }) };
          await startSync(deps.client, name, named, { taskQueue: deps.taskQueue, signal });
        }),
      ),
    );
    const failed = started.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  });
}

/** Cleans up after a pull request whose last word is still that it was closed: one that was opened again must not lose what it has. */
async function cleanUp({ client, taskQueue }: ActivityDeps, name: StreamName, request: SyncRequest, signal: AbortSignal): Promise<void> {
  const runs = await runsOf(client, name, signal);
  if (runs?.isRunning || !isClosed({ runs })) return;
  await startSyncAlone(client, name, request, { taskQueue, signal, after: runs?.last?.status === 'Parked' ? 'any' : 'failed' });
}
