import { setTimeout as delay } from 'node:timers/promises';
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { checkCodecKey } from '../clients/check-codec-key.ts';
import { isSilent, readDriftWatch, tellDriftWatch } from '../clients/drift-watch.ts';
import { requestResults } from '../clients/sync-result.ts';
import { registerSearchAttributes, type Temporal } from '../clients/temporal.ts';
import { worstOf } from '../domain/status.ts';
import { checkNowSignal } from '../workflows/messages.ts';
import { awaitWatch } from './await-watch.ts';
import { chooseTenant } from './choose-stream.ts';
import { EXIT_OF_STATUS } from './exit-codes.ts';
import { formatOutcome } from './format-outcome.ts';
import type { CommandResult } from './run-command.ts';
import { loadSettings } from './settings.ts';
import { withTemporal } from './with-temporal.ts';

/** A run is listed a moment after it began. */
const LISTED_WITHIN_MS = 3_000;
const READ_INTERVAL_MS = 200;

/** `vartrack rotate`: has the watch look for newer versions of secrets, and waits for the runs that write them. */
export async function runRotate(tenant: string, { bundle: path }: { readonly bundle?: string }): Promise<CommandResult> {
  const { bundle, codecKey, taskQueue } = await loadSettings(path);
  chooseTenant(bundle, tenant);
  return withTemporal(codecKey, async (temporal) => {
    await checkCodecKey(temporal, tenant, codecKey);
    await registerSearchAttributes(temporal.connection, temporal.namespace);
    const known = new Set((await rotationsOf(temporal, tenant)).map(({ runId }) => runId));
    const before = await readDriftWatch(temporal.client, tenant);
    const checkedAt = isSilent(before) ? null : before.checkedAt;
    await tellDriftWatch(temporal.client, { tenant, taskQueue }, checkNowSignal);
    await awaitWatch(temporal, { tenant, taskQueue }, (now) => now.checkedAt !== null && now.checkedAt !== checkedAt);

    const runs = await newRotations(temporal, tenant, known);
    const ended = await Promise.all(runs.map((run) => endOf(temporal, run)));
    const outcomes = ended.flat();
    if (outcomes.length === 0) return { exit: 'ok', json: { tenant, runs: [] }, text: `${tenant}: no secret has a newer version than the one that is written` };
    return {
      exit: EXIT_OF_STATUS[worstOf(outcomes.map(({ outcome }) => outcome.status))],
      json: { tenant, runs: outcomes },
      text: outcomes.map(({ workflowId, outcome }) => formatOutcome(workflowId, outcome)).join('\n\n'),
    };
  });
}

async function rotationsOf({ client }: Temporal, tenant: string): Promise<readonly WorkflowExecutionInfo[]> {
  const found: WorkflowExecutionInfo[] = [];
  for await (const run of client.workflow.list({ query: `WorkflowType = "syncWorkflow" AND Tenant = "${tenant}" AND Trigger = "rotation"` })) found.push(run);
  return found;
}

async function newRotations(temporal: Temporal, tenant: string, known: ReadonlySet<string>): Promise<readonly WorkflowExecutionInfo[]> {
  const deadline = Date.now() + LISTED_WITHIN_MS;
  for (;;) {
    const found = (await rotationsOf(temporal, tenant)).filter(({ runId }) => !known.has(runId));
    // Several streams begin together, and are listed one by one.
    if (Date.now() > deadline) return found;
    await delay(READ_INTERVAL_MS);
  }
}

async function endOf({ client }: Temporal, { workflowId, runId }: WorkflowExecutionInfo) {
  const { requests } = await requestResults(client.workflow.getHandle(workflowId, runId));
  return requests.filter(({ trigger }) => trigger === 'rotation').map(({ outcome }) => ({ workflowId, runId, outcome }));
}
