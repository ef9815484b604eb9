import { isGrpcServiceError, QueryNotRegisteredError, ServiceError, type Client } from '@temporalio/client';
import { WorkflowNotFoundError, type SignalDefinition } from '@temporalio/common';
import { driftStateQuery, driftWorkflowId, type DriftWatchState } from '../workflows/messages.ts';
import { startDriftWatches } from './start-drift-watch.ts';

/** What a tenant's DriftWatch workflow answers, or why it does not. */
export type WatchAnswer = DriftWatchState | SilentWatch;

export interface SilentWatch {
  readonly tenant: string;
  readonly silent: 'no-worker' | 'not-started' | 'older-build';
}

const CANCELLED = 1;
const DEADLINE_EXCEEDED = 4;
const FAILED_PRECONDITION = 9;
const ANSWERS_WITHIN_MS = 5_000;

/** Asks for the state of a tenant's watch. Only a worker can answer; throws where Temporal itself does not. */
export async function readDriftWatch(client: Client, tenant: string, withinMs = ANSWERS_WITHIN_MS): Promise<WatchAnswer> {
  try {
    const state = await client.withDeadline(Date.now() + withinMs, () => client.workflow.getHandle(driftWorkflowId(tenant)).query(driftStateQuery));
    // Of a worker from before there were checks.
    if (!Array.isArray(state.targets)) return { tenant, silent: 'older-build' };
    // Of one that has checks and does not tell yet why they fail.
    const told: Partial<DriftWatchState> = state;
    return { ...state, problem: told.problem ?? null, pollProblems: told.pollProblems ?? [] };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { tenant, silent: 'not-started' };
    if (error instanceof QueryNotRegisteredError) return { tenant, silent: 'older-build' };
    if (isWithoutWorker(error)) return { tenant, silent: 'no-worker' };
    throw error;
  }
}

export function isSilent(answer: WatchAnswer): answer is SilentWatch {
  return 'silent' in answer;
}

export function explainSilence({ tenant, silent }: SilentWatch): string {
  switch (silent) {
    case 'no-worker':
      return `no worker answers for ${driftWorkflowId(tenant)}; start one with "vartrack worker"`;
    case 'not-started':
      return `${driftWorkflowId(tenant)} does not run; a worker starts it when it starts or reloads its bundle`;
    case 'older-build':
      return `${driftWorkflowId(tenant)} is answered by a worker of an older build, which does not look for drift`;
  }
}

/** Sends a message to a tenant's watch, which is started if it does not run. It is stored then, and taken by the next worker. */
export async function tellDriftWatch<Args extends unknown[]>(
  client: Client,
  { tenant, taskQueue }: { readonly tenant: string; readonly taskQueue: string },
  signal: SignalDefinition<Args>,
  ...args: Args
): Promise<void> {
  await startDriftWatches(client, [tenant], taskQueue);
  await client.workflow.getHandle(driftWorkflowId(tenant)).signal(signal, ...args);
}

/** The server refuses at once where no worker has asked for work lately, and waits where one has. */
function isWithoutWorker(error: unknown): boolean {
  const code = grpcCodeOf(error);
  return code === DEADLINE_EXCEEDED || code === CANCELLED || code === FAILED_PRECONDITION;
}

function grpcCodeOf(error: unknown): number | undefined {
  if (isGrpcServiceError(error)) return error.code;
  return error instanceof ServiceError ? grpcCodeOf(error.cause) : undefined;
}
