import pLimit from 'p-limit';
import { WorkflowNotFoundError } from '@temporalio/common';
import { checkCodecKey } from '../clients/check-codec-key.ts';
import { explainSilence, isSilent, readDriftWatch, tellDriftWatch } from '../clients/drift-watch.ts';
import { requestResults } from '../clients/sync-result.ts';
import { registerSearchAttributes, type Temporal } from '../clients/temporal.ts';
import { worstOf, type RunOutcome } from '../domain/status.ts';
import { checkNowSignal, syncWorkflowId, type DriftWatchState } from '../workflows/messages.ts';
import { awaitWatch } from './await-watch.ts';
import { chooseTenant } from './choose-stream.ts';
import { CliError } from './cli-error.ts';
import { EXIT_OF_STATUS } from './exit-codes.ts';
import { formatOutcome } from './format-outcome.ts';
import type { CommandResult } from './run-command.ts';
import { loadSettings } from './settings.ts';
import { withTemporal } from './with-temporal.ts';

interface Rotation {
  readonly workflowId: string;
  readonly runId: string;
  readonly outcome: RunOutcome;
}

const ASKED_AT_ONCE = 8;

/** `vartrack rotate`: has the watch look for newer versions of secrets, and waits for the runs that write them. */
export async function runRotate(tenant: string, { bundle: path }: { readonly bundle?: string }): Promise<CommandResult> {
  const { bundle, codecKey, taskQueue } = await loadSettings(path);
  chooseTenant(bundle, tenant);
  return withTemporal(codecKey, async (temporal) => {
    await checkCodecKey(temporal, tenant, codecKey);
    await registerSearchAttributes(temporal.connection, temporal.namespace);
    const before = await readDriftWatch(temporal.client, tenant);
    if (isSilent(before)) throw new CliError('failed', explainSilence(before));
    const known = await latestRuns(temporal, before);
    await tellDriftWatch(temporal.client, { tenant, taskQueue }, checkNowSignal);
    const after = await awaitWatch(temporal, { tenant, taskQueue }, (now) => !now.busy && now.checkedAt !== null && now.checkedAt !== before.checkedAt);

    const begun = [...(await latestRuns(temporal, after))].filter(([workflowId, runId]) => known.get(workflowId) !== runId);
    const rotations = (await pLimit(ASKED_AT_ONCE).map(begun, ([workflowId, runId]) => rotationsOf(temporal, workflowId, runId))).flat();
    if (rotations.length === 0) {
      return { exit: 'ok', json: { tenant, runs: [] }, text: `${tenant}: no secret has a newer version than what was written` };
    }
    return {
      exit: EXIT_OF_STATUS[worstOf(rotations.map(({ outcome }) => outcome.status))],
      json: { tenant, runs: rotations },
      text: rotations.map(({ workflowId, outcome }) => formatOutcome(workflowId, outcome)).join('\n\n'),
    };
  });
}

/** The newest run of every stream of the tenant's targets, from Temporal itself: its lists follow by a moment. */
async function latestRuns({ client }: Temporal, { tenant, targets }: DriftWatchState): Promise<ReadonlyMap<string, string>> {
  const ids = [...new Set(targets.map(({ repository, stream }) => syncWorkflowId(tenant, repository, stream)))];
  const runs = await pLimit(ASKED_AT_ONCE).map(ids, async (id) => {
    try {
      return [[id, (await client.workflow.getHandle(id).describe()).runId] as const];
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return [];
      throw error;
    }
  });
  return new Map(runs.flat());
}

async function rotationsOf({ client }: Temporal, workflowId: string, runId: string): Promise<readonly Rotation[]> {
  const { requests } = await requestResults(client.workflow.getHandle(workflowId, runId));
  return requests.filter(({ trigger }) => trigger === 'rotation').map(({ outcome }) => ({ workflowId, runId, outcome }));
}
