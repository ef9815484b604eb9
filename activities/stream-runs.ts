import type { Client, WorkflowExecutionDescription, WorkflowExecutionInfo } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { endsWell, type RunStatus } from '../domain/status.ts';
import { syncWorkflowId, type Trigger } from '../workflows/messages.ts';
import { searchAttributes } from '../workflows/search-attributes.ts';
import type { StreamName } from './activity-types.ts';

/** What Temporal knows of the runs of a stream. */
export interface StreamRuns {
  /** The newest run of all. */
  readonly runId: string;
  readonly isRunning: boolean;
  /** It runs, and tries in vain to read Git: until that answers it writes nothing, and what is done to its targets is not its doing. */
  readonly isWaiting?: boolean;
  /** The newest run was to write newer versions of secrets, and what stopped it may pass. */
  readonly hasFailedRotation?: true;
  /** The newest run that was to bring the stream to its head, with the end that it came to; null where it is not known (any more). */
  readonly last: LastRun | null;
}

export interface LastRun {
  readonly trigger: Trigger | undefined;
  /** Absent if it ended without a word, as one that was terminated. */
  readonly status: RunStatus | undefined;
  readonly commit: string | undefined;
  readonly isCancelled: boolean;
  /** Of `Date.now`. */
  readonly closedAt: number | undefined;
}

/** A stream by what Temporal knows of it. */
export interface KnownStream {
  readonly stream: string;
  /** That the last run worked toward. */
  readonly commit: string | undefined;
  /** A pull request that is closed, and may not be cleaned up yet. */
  readonly isClosed?: true;
}

/** Read of one query: a repository rarely has so many runs that were not closed long ago. */
const MOST_RUNS = 2_000;
const MOST_STREAMS = 1_000;

/** Null for a stream that never had a run, or none for as long as Temporal keeps them. */
export async function runsOf(client: Client, { tenant, repository, stream }: StreamName, signal: AbortSignal): Promise<StreamRuns | null> {
  const workflowId = syncWorkflowId(tenant, repository, stream);
  try {
    const newest = await client.withAbortSignal(signal, () => client.workflow.getHandle(workflowId).describe());
    const { runId } = newest;
    if (newest.status.name === 'RUNNING') return { runId, isRunning: true, isWaiting: waits(newest), last: null };
    if (!mends(newest)) return { runId, isRunning: false, last: lastRun(newest) };
    // A heal says nothing of the head. By the index: only there can runs of before the newest be found.
    // Trigger and Stream are words of the query language itself, unless they are quoted.
    const query = `WorkflowId = ${quoted(workflowId)} AND \`Trigger\` != "heal" AND \`Trigger\` != "rotation" AND ExecutionStatus != "Running"`;
    const [before] = await list(client, query, 1, signal);
    return { runId, isRunning: false, last: before ? lastRun(before) : null, ...(hasFailedRotation(newest) && { hasFailedRotation: true }) };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/**
 * The streams of a repository that a run was ever asked for, those of pull requests only until they are closed and cleaned up. Forges keep the refs of closed
 * ones for ever, so the remote cannot tell; and of the others it cannot while it does not answer. Newest first.
 */
export async function knownStreams(
  client: Client,
  { tenant, repository }: Omit<StreamName, 'stream'>,
  kind: 'all' | 'pull-requests',
  signal: AbortSignal,
): Promise<KnownStream[]> {
  const names = `WorkflowType = "syncWorkflow" AND Tenant = ${quoted(tenant)} AND Repository = ${quoted(repository)}`;
  const runs = await list(client, kind === 'all' ? names : `${names} AND \`Stream\` STARTS_WITH "pr:"`, MOST_RUNS, signal);
  const newest = new Map<string, WorkflowExecutionInfo>();
  for (const run of runs) {
    const stream = run.typedSearchAttributes.get(searchAttributes.stream);
    if (stream === undefined || mends(run)) continue;
    const known = newest.get(stream);
    if (!known || known.startTime < run.startTime) newest.set(stream, run);
  }
  return [...newest]
    .map(([stream, run]): KnownStream & { readonly isCleanedUp: boolean } => {
      const isClosed = run.typedSearchAttributes.get(searchAttributes.trigger) === 'closed';
      const commit = run.typedSearchAttributes.get(searchAttributes.commit);
      return { stream, commit, ...(isClosed && { isClosed }), isCleanedUp: isClosed && isDone(run) };
    })
    .filter(({ isCleanedUp }) => !isCleanedUp)
    .map(({ isCleanedUp: _isCleanedUp, ...known }) => known)
    .slice(0, MOST_STREAMS);
}

function isDone({ typedSearchAttributes: found }: Pick<WorkflowExecutionInfo, 'typedSearchAttributes'>): boolean {
  const status = found.get(searchAttributes.status) as RunStatus | undefined;
  return status !== undefined && status !== 'Parked' && endsWell(status);
}

/** Retries of one activity, and nothing else under way. */
const TRIES_IN_VAIN = 3;

function waits({ raw }: WorkflowExecutionDescription): boolean {
  const pending = raw.pendingActivities ?? [];
  return pending.length > 0 && pending.every(({ activityType, attempt }) => activityType?.name === 'prepare' && (attempt ?? 0) >= TRIES_IN_VAIN);
}

/** Whether a run may be writing the targets of its stream. */
export function mayWrite(runs: StreamRuns | null): boolean {
  return runs?.isRunning === true && runs.isWaiting !== true;
}

type RunInfo = Pick<WorkflowExecutionInfo, 'typedSearchAttributes' | 'status'> & { readonly closeTime?: Date | undefined };

function mends({ typedSearchAttributes: found }: Pick<WorkflowExecutionInfo, 'typedSearchAttributes'>): boolean {
  const trigger = found.get(searchAttributes.trigger);
  return trigger === 'heal' || trigger === 'rotation';
}

/** Rejected or held, it waits for a commit or a person, as every run does. */
const ENDED: ReadonlySet<RunStatus | undefined> = new Set<RunStatus>(['Synced', 'Unchanged', 'Superseded', 'Rejected', 'Held']);

function hasFailedRotation({ typedSearchAttributes: found }: RunInfo): boolean {
  return found.get(searchAttributes.trigger) === 'rotation' && !ENDED.has(found.get(searchAttributes.status) as RunStatus | undefined);
}

function lastRun({ typedSearchAttributes: found, status, closeTime }: RunInfo): LastRun {
  return {
    trigger: found.get(searchAttributes.trigger) as Trigger | undefined,
    status: found.get(searchAttributes.status) as RunStatus | undefined,
    commit: found.get(searchAttributes.commit),
    isCancelled: status.name === 'CANCELLED',
    closedAt: closeTime?.getTime(),
  };
}

async function list(client: Client, query: string, most: number, signal: AbortSignal): Promise<WorkflowExecutionInfo[]> {
  return client.withAbortSignal(signal, async () => {
    const found: WorkflowExecutionInfo[] = [];
    for await (const run of client.workflow.list({ query, pageSize: Math.min(most, 500) })) {
      found.push(run);
      if (found.length >= most) break;
    }
    return found;
  });
}

/** Of the query language of Temporal's index. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
