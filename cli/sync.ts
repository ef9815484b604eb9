import { randomUUID } from 'node:crypto';
import { startSync, type StartedSync } from '../clients/start-sync.ts';
import { requestResults } from '../clients/sync-result.ts';
import { registerSearchAttributes, type Temporal } from '../clients/temporal.ts';
import type { RunOutcome } from '../domain/status.ts';
import type { SyncRequest } from '../workflows/messages.ts';
import { checkCodecKey } from '../clients/check-codec-key.ts';
import { chooseStream, type ChosenStream, type RefChoice } from './choose-stream.ts';
import { CliError } from './cli-error.ts';
import { EXIT_OF_STATUS } from './exit-codes.ts';
import { formatOutcome } from './format-outcome.ts';
import type { CommandResult } from './run-command.ts';
import { currentUser, loadSettings } from './settings.ts';
import { warnWithoutWorker } from './warn-without-worker.ts';
import { lacksKey, withTemporal } from './with-temporal.ts';

export interface SyncOptions extends RefChoice {
  readonly bundle?: string;
  readonly allowDeletes?: boolean;
  readonly force?: boolean;
  readonly wait: boolean;
}

/** `vartrack sync`: asks for a run of a stream at its head, and waits for what becomes of it. */
export async function runSync(tenant: string, repository: string, options: SyncOptions): Promise<CommandResult> {
  const { bundle, codecKey, taskQueue } = await loadSettings(options.bundle);
  const chosen = chooseStream(bundle, tenant, repository, options);
  const request: SyncRequest = {
    id: `manual/${randomUUID()}`,
    trigger: 'manual',
    ref: chosen.event,
    by: currentUser(),
    ...(options.allowDeletes && { deletesAllowed: true }),
    ...(options.force && { force: true }),
  };
  return withTemporal(codecKey, async (temporal) => {
    await checkCodecKey(temporal, tenant, codecKey);
    await registerSearchAttributes(temporal.connection, temporal.namespace);
    const { stream } = chosen;
    const started = await startSync(temporal.client, { tenant, repository, stream }, request, { taskQueue });
    const names = { tenant, repository, stream, request: request.id, ...started };
    if (!options.wait) return { exit: 'ok', json: names, text: `asked for: workflow ${started.workflowId}, run ${started.runId}` };
    process.stderr.write(`${started.workflowId} is asked for and goes on without this command; waiting for its end\n`);
    await warnWithoutWorker(temporal, taskQueue);
    const outcome = await outcomeOf(temporal, started, request.id);
    return { exit: EXIT_OF_STATUS[outcome.status], json: { ...names, outcome }, text: formatOutcome(titleOf(chosen), outcome) };
  });
}

async function outcomeOf(temporal: Temporal, { workflowId, runId }: StartedSync, request: string): Promise<RunOutcome> {
  let results;
  try {
    results = await requestResults(temporal.client.workflow.getHandle(workflowId, runId));
  } catch (error) {
    if (lacksKey(error)) throw error;
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError('failed', `${workflowId} ended without a result: ${why}${cause}; the Temporal UI has its history`, { cause: error });
  }
  const found = results.requests.find((each) => each.id === request);
  // A run remembers its last hundred requests.
  return found?.outcome ?? { status: 'Superseded', summary: 'many newer requests joined the run', targets: [], problems: [] };
}

function titleOf({ tenant, repository, stream }: ChosenStream): string {
  return `${tenant} ${repository}/${stream}`;
}
