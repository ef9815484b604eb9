import type { WorkflowExecutionInfo, WorkflowHandle } from '@temporalio/client';
import type { WatchAnswer } from '../clients/drift-watch.ts';
import { pendingRetries, type PendingRetry } from '../clients/pending-activities.ts';
import { requestResults } from '../clients/sync-result.ts';
import type { Temporal } from '../clients/temporal.ts';
import { createPauseReader } from '../activities/pause.ts';
import { bounded, endsWell, type RunStatus } from '../domain/status.ts';
import { syncStateQuery, type Pause, type SyncResult } from '../workflows/messages.ts';
import { searchAttributes } from '../workflows/search-attributes.ts';
import { chooseTenant } from './choose-stream.ts';
import { readDriftWatches } from './drift.ts';
import { driftStatusOf, formatDriftStatus, type DriftStatus } from './drift-status.ts';
import { formatTable, paint } from './format-table.ts';
import { printable } from './printable.ts';
import type { CommandResult } from './run-command.ts';
import { loadSettings } from './settings.ts';
import { lacksKey, withTemporal } from './with-temporal.ts';

export interface StreamStatus {
  readonly repository: string;
  readonly stream: string;
  /** How the last request ended; `Running` while one works. */
  readonly status: RunStatus | 'Running' | 'Cancelled' | 'Terminated' | 'Unknown';
  readonly commit?: string;
  /** ISO 8601: when the last run ended, or began if it runs. */
  readonly at: string;
  readonly summary: string;
  /** Why it ended as it did; of a run that works, what it tries again and how that failed last. */
  readonly problems: readonly string[];
  readonly workflowId: string;
  readonly runId: string;
}

export interface TenantStatus {
  readonly tenant: string;
  readonly pause: Pause | null;
  readonly drift: DriftStatus;
  readonly streams: readonly StreamStatus[];
}

const RUNS_LOOKED_AT = 1_000;
const QUERY_TIMEOUT_MS = 3_000;
const MOST_RETRIES = 10;

/** `vartrack status`: how the last run of every stream ended, and who is paused. */
export async function runStatus(tenant: string | undefined, options: { readonly bundle?: string }): Promise<CommandResult> {
  const { bundle, codecKey } = await loadSettings(options.bundle);
  if (tenant !== undefined) chooseTenant(bundle, tenant);
  const names = tenant === undefined ? Object.keys(bundle.tenants) : [tenant];
  return withTemporal(codecKey, async (temporal) => {
    const watches = await readDriftWatches(temporal, names);
    const found: { status: TenantStatus; watch: WatchAnswer }[] = [];
    for (const watch of watches) found.push({ status: await statusOf(temporal, watch), watch });
    return {
      exit: 'ok',
      json: { tenants: found.map(({ status }) => status) },
      text: found.map(({ status, watch }) => formatTenant(status, watch)).join('\n\n'),
    };
  });
}

async function statusOf(temporal: Temporal, watch: WatchAnswer): Promise<TenantStatus> {
  const { tenant } = watch;
  const pause = await createPauseReader(temporal.client)(tenant);
  const latest = new Map<string, WorkflowExecutionInfo>();
  let seen = 0;
  // Newest first; what is running comes before what has ended.
  for await (const run of temporal.client.workflow.list({ query: `WorkflowType = "syncWorkflow" AND Tenant = "${tenant}"` })) {
    const known = latest.get(run.workflowId);
    if (!known || known.startTime < run.startTime) latest.set(run.workflowId, run);
    if (++seen === RUNS_LOOKED_AT) break;
  }
  const streams: StreamStatus[] = [];
  for (const run of latest.values()) streams.push(await describe(temporal, run));
  return { tenant, pause, drift: driftStatusOf(watch), streams: streams.toSorted((a, b) => (a.workflowId < b.workflowId ? -1 : 1)) };
}

async function describe(temporal: Temporal, run: WorkflowExecutionInfo): Promise<StreamStatus> {
  const { workflowId, runId, typedSearchAttributes: attributes } = run;
  const commit = attributes.get(searchAttributes.commit);
  const names = {
    repository: attributes.get(searchAttributes.repository) ?? '',
    stream: attributes.get(searchAttributes.stream) ?? '',
    workflowId,
    runId,
    at: (run.closeTime ?? run.startTime).toISOString(),
    ...(commit !== undefined && { commit }),
  };
  const handle = temporal.client.workflow.getHandle(workflowId, runId);
  switch (run.status.name) {
    case 'RUNNING': {
      // A query needs a worker; without one the run is still known.
      const deadline = Date.now() + QUERY_TIMEOUT_MS;
      const [state, retries] = await Promise.all([
        temporal.client.withDeadline(deadline, () => handle.query(syncStateQuery)).catch(() => null),
        pendingRetries(temporal.client, workflowId, runId),
      ]);
      const summary = state ? `${state.phase}${state.waiting > 0 ? `, ${state.waiting} waiting` : ''}` : 'no worker answers for it';
      return { ...names, status: 'Running', summary, problems: describeRetries(retries) };
    }
    case 'COMPLETED':
    case 'FAILED': {
      const last = (await resultsOf(handle))?.requests.at(-1)?.outcome;
      if (last)
        return { ...names, status: last.status, summary: last.summary, problems: last.problems, ...(last.commit !== undefined && { commit: last.commit }) };
      return { ...names, status: 'Unknown', summary: `the workflow ${run.status.name.toLowerCase()} and left no result`, problems: [] };
    }
    case 'CANCELLED':
      return { ...names, status: 'Cancelled', summary: 'cancelled by a person; what was half done is undone', problems: [] };
    case 'TERMINATED':
      return { ...names, status: 'Terminated', summary: 'terminated by a person; what it had begun may be half done', problems: [] };
    default:
      return { ...names, status: 'Unknown', summary: `the workflow is ${run.status.name.toLowerCase()}`, problems: [] };
  }
}

/** One line for each reason: a sink that is away fails many writes with the same words. */
function describeRetries(retries: readonly PendingRetry[]): readonly string[] {
  const reasons = Map.groupBy(retries, ({ activity, message }) => `${activity} is tried again: ${message}`);
  const lines = [...reasons].map(([reason, { length }]) => (length === 1 ? reason : `${length} × ${reason}`));
  return bounded(lines.toSorted(), MOST_RETRIES);
}

/** Undefined for a run that ended without a word, such as one whose history is gone. */
async function resultsOf(handle: WorkflowHandle): Promise<SyncResult | undefined> {
  try {
    return await requestResults(handle);
  } catch (error) {
    if (lacksKey(error)) throw error;
    return undefined;
  }
}

function formatTenant({ tenant, pause, streams }: TenantStatus, watch: WatchAnswer): string {
  const state = pause
    ? paint('yellow', `paused since ${pause.since} by ${printable(pause.by)}: ${printable(pause.reason)}${pause.until ? ` (until ${pause.until})` : ''}`)
    : 'not paused';
  const rows = streams.map((each) => [`${each.repository}/${each.stream}`, each.status, each.commit?.slice(0, 12) ?? '', each.at, each.summary]);
  return [
    `${paint('bold', tenant)}: ${state}`,
    ...formatDriftStatus(watch).map((line) => `  ${line}`),
    ...(rows.length === 0 ? ['  no run yet'] : formatTable(['STREAM', 'STATUS', 'COMMIT', 'AT', 'WHY'], rows, '  ')),
    ...streams.flatMap((each) =>
      each.problems.map((problem) => `  ${each.repository}/${each.stream}: ${paint(isWell(each.status) ? 'dim' : 'red', printable(problem))}`),
    ),
  ].join('\n');
}

function isWell(status: StreamStatus['status']): boolean {
  return status === 'Running' || (status !== 'Cancelled' && status !== 'Terminated' && status !== 'Unknown' && endsWell(status));
}
