import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { RefEvent } from '../domain/routing.ts';
import type { Freeze, WatchedStream, WatchedTarget, WatchState, WatchStatus } from '../domain/drift.ts';
import type { RunOutcome } from '../domain/status.ts';

/** What asked for a run. All are hints that a stream may have moved; the work is the same. */
export type Trigger = 'push' | 'poll' | 'manual' | 'resume' | 'closed' | 'heal' | 'rotation';

/** One request to bring a stream's targets to what Git says now. Plain JSON, and never a value of configuration. */
export interface SyncRequest {
  /** Delivery id of the webhook, or another id that is unique to the request; a repeated id is the same request. */
  readonly id: string;
  readonly trigger: Trigger;
  readonly ref: RefEvent;
  /** What the sender believed the head to be. A hint: Git is read for the truth. */
  readonly commit?: string;
  /** Who asked, for people. */
  readonly by?: string;
  /** A person allowed this request to delete more than `limits.deletes`. */
  readonly deletesAllowed?: true;
  /** A person wants it in spite of a freeze. */
  readonly force?: true;
  /**
   * A heal or a rotation: only these targets (ids, see `domain/drift.ts`), at `commit`, which is what they were written at; a target that has moved on is
   * left alone. Gives way to every request without it.
   */
  readonly only?: readonly string[];
  /** ISO 8601: since when what a heal mends was seen; for metrics. */
  readonly since?: string;
}

/** Input of SyncWorkflow. The requests come by signal; `carried` holds those that a continued run has not finished. */
export interface SyncInput {
  readonly tenant: string;
  readonly repository: string;
  /** Part of the stream id inside the repository, see `streamOf`. */
  readonly stream: string;
  readonly carried?: readonly SyncRequest[];
}

/** Result of SyncWorkflow, and the details of its failure when the last request did not end well. */
export interface SyncResult {
  readonly requests: readonly RequestResult[];
}

export interface RequestResult {
  readonly id: string;
  readonly trigger: Trigger;
  readonly outcome: RunOutcome;
}

export interface SyncState {
  readonly phase: 'waiting' | 'preparing' | 'writing' | 'restoring';
  readonly current: SyncRequest | null;
  readonly waiting: number;
  readonly done: readonly RequestResult[];
}

export const pushSignal = defineSignal<[SyncRequest]>('push');
export const syncStateQuery = defineQuery<SyncState>('state');

/** The id is the lock: one stream has one writer. */
export function syncWorkflowId(tenant: string, repository: string, stream: string): string {
  return `sync/${tenant}/${repository}/${stream}`;
}

/** Input of DriftWatchWorkflow; what a continued run knows already. */
export interface DriftWatchInput {
  readonly tenant: string;
  readonly pause?: Pause;
  readonly watch?: WatchState;
  /** Why signals of late could not be acted on. */
  readonly ignored?: readonly string[];
}

export interface Pause {
  readonly by: string;
  readonly reason: string;
  /** ISO 8601; the pause ends by itself then. */
  readonly until?: string;
  /** ISO 8601. */
  readonly since: string;
}

export interface DriftWatchState {
  readonly tenant: string;
  readonly pause: Pause | null;
  readonly freeze: Freeze | null;
  readonly status: WatchStatus;
  /** Worst first; `moreTargets` were left out to keep it short. */
  readonly targets: readonly WatchedTarget[];
  readonly moreTargets: number;
  /** Streams whose head is not applied, and why. */
  readonly streams: readonly WatchedStream[];
  /** ISO 8601; null before the first check. */
  readonly checkedAt: string | null;
  readonly nextCheckAt: string | null;
  /** Why the last check found nothing out, so that all of this may be out of date; null when it did. */
  readonly problem: string | null;
  /** What the last checks could not find out of repositories and secret managers. */
  readonly pollProblems: readonly string[];
  /** What a message asked for has not been looked at yet, or runs are not handed over yet. */
  readonly busy?: true;
}

export const pauseSignal = defineSignal<[{ readonly by: string; readonly reason: string; readonly until?: string }]>('pause');
export const resumeSignal = defineSignal<[{ readonly by: string }]>('resume');
/** Heals now, whatever was tried before; all drifted targets unless some are named. `force` also in a freeze. */
export const forceHealSignal =
  defineSignal<[{ readonly by: string; readonly reason?: string; readonly targets?: readonly string[]; readonly force?: true }]>('forceHeal');
/**
 * Something may have changed: checks these targets, or everything without any. That includes the heads of all repositories; `onReload`, which a worker sends
 * when it has a bundle that may be new, leaves out those that are never polled.
 */
export const checkNowSignal = defineSignal<[{ readonly targets?: readonly string[]; readonly onReload?: true }?]>('checkNow');
/** Begins a new run that carries on: what it holds is written anew, with the newest codec key. */
export const renewSignal = defineSignal('renew');
export const driftStateQuery = defineQuery<DriftWatchState>('state');

export function driftWorkflowId(tenant: string): string {
  return `drift/${tenant}`;
}

/** Key of the memo of a DriftWatch run that mirrors its pause, so that it can be read without a worker. */
export const PAUSE_MEMO = 'pause';

/** Types of failures of activities that a workflow acts on; the rest it only reports. */
export const FAILURE = { parked: 'Parked', held: 'Held', stale: 'Stale' } as const;
