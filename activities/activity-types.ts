import type { TenantCheck } from '../domain/drift.ts';
import type { RefEvent } from '../domain/routing.ts';
import type { ChangeCounts, RunOutcome, TargetName } from '../domain/status.ts';
import type { SyncRequest } from '../workflows/messages.ts';

// What crosses between workflows and activities: names, digests and counts. Values of configuration never do (I8, and histories stay small).

/** Which stream a run works on. */
export interface StreamName {
  readonly tenant: string;
  readonly repository: string;
  readonly stream: string;
}

export interface PrepareInput extends StreamName {
  readonly request: SyncRequest;
}

export type Prepared =
  /** `forced`: what it is written in spite of, for people. */
  | { readonly kind: 'ready'; readonly commit: string; readonly rules: readonly PreparedRule[]; readonly forced?: string }
  | { readonly kind: 'rejected'; readonly commit?: string; readonly problems: readonly string[] }
  | { readonly kind: 'held'; readonly commit: string; readonly problems: readonly string[] }
  | { readonly kind: 'parked'; readonly why: string }
  /** Nothing to do: no rule takes this ref, or the ref is gone. */
  | { readonly kind: 'nothing'; readonly commit?: string; readonly why: string };

/** The unit that changes together (I6): one rule in one environment. */
export interface PreparedRule {
  readonly rule: string;
  readonly environment: string;
  readonly onFailure: 'compensate' | 'continue' | 'halt';
  readonly timeoutMs: number;
  readonly targets: readonly PreparedTarget[];
}

export interface PreparedTarget extends TargetName {
  /** Index of the destination in the rule. */
  readonly destination: number;
  /** With the place's name, all that an undo needs to find it again, also when the bundle changed. */
  readonly layout: string;
  readonly fields: unknown;
  /** The secrets of the rule as the run takes them, absent if it has none: names and versions, never values (I8). */
  readonly secrets?: readonly PinnedSecret[];
  /** Digest of the desired state; the write recomputes the state and must find the same. */
  readonly digest: string;
  /** `unchecked`: the sink could not be read now, or only the values of secrets can tell; the write will try. */
  readonly change: 'unchanged' | 'write' | 'unchecked';
}

/** A path of a secret manager and the version that a run writes. */
export interface PinnedSecret {
  readonly manager: string;
  readonly path: string;
  readonly fields: readonly string[];
  /** Null where the engine keeps no versions (KV v1): then the write takes what is there. */
  readonly version: number | null;
  /** Whether the reference names this version; otherwise it was the newest when the run was prepared. */
  readonly asked?: boolean;
}

export interface ApplyTargetInput extends StreamName {
  readonly request: SyncRequest;
  readonly commit: string;
  readonly target: PreparedTarget;
  /** Identifies the write of this run to this target, the same for every attempt. */
  readonly write: string;
  /** Writes of this run for older commits; one of them may still stand there and has to be undone first. */
  readonly undoFirst?: readonly string[];
}

export interface Applied {
  readonly status: 'Synced' | 'Unchanged' | 'Unverifiable' | 'Superseded';
  /** Set when this write changed the place: what a restore must bring back, as a digest of the live state. */
  readonly prior?: string;
  readonly changes?: ChangeCounts;
  readonly message?: string;
}

export interface RestoreTargetInput extends StreamName {
  readonly request: SyncRequest;
  readonly commit: string;
  readonly target: PreparedTarget;
  /** The writes to undo; at most one of them stands there. */
  readonly writes: readonly string[];
  /** What the write replaced, if it is known to have happened. */
  readonly prior?: string;
}

export interface Restored {
  readonly status: 'Restored' | 'Skipped';
  readonly message: string;
}

export interface ReportInput extends StreamName {
  readonly request: SyncRequest;
  readonly outcome: RunOutcome;
}

export interface RequestSyncInput {
  readonly tenant: string;
  readonly by: string;
}

/** What is due of a tenant. */
export interface CheckTenantInput {
  readonly tenant: string;
  /** Rules by the interval of their `drift`, with the digest of what is known of them (an empty one: tell all); `all`: every rule. */
  readonly groups: 'all' | readonly { readonly intervalMs: number; readonly digest: string }[];
  /** Repositories by the interval of their `poll`; `all`: every repository, also one that is never polled. */
  readonly polls: 'all' | readonly number[];
  /** These targets, whatever is due. */
  readonly targets: readonly string[];
  /** Newest versions of secrets that are known, by `manager:path`. */
  readonly secretVersions: Readonly<Record<string, number>>;
}

/** Runs that a watch wants. */
export interface StartRunsInput {
  readonly tenant: string;
  readonly runs: readonly { readonly repository: string; readonly stream: string; readonly request: SyncRequest }[];
}

/** A dry run: what a commit would change in every target of a stream. */
export interface PlanStreamInput extends StreamName {
  readonly ref: RefEvent;
  /** Plans this commit as if the ref were there; the ref's head unless given. */
  readonly commit?: string;
  /** As if a person had allowed to delete more than `limits.deletes`. */
  readonly deletesAllowed?: true;
}

export type StreamPlan =
  | { readonly kind: 'planned'; readonly commit: string; readonly targets: readonly PlannedTarget[]; readonly moreTargets: number }
  | Extract<Prepared, { readonly kind: 'rejected' | 'nothing' }>;

export interface PlannedTarget extends TargetName {
  /** `held`: a person has to decide first; `unknown`: the sink could not be read. A `write` without keys moves only the ledger. */
  readonly change: 'unchanged' | 'write' | 'held' | 'unknown';
  /** Commit of the ledger that is there now. */
  readonly applied?: string;
  readonly keys: readonly KeyChange[];
  /** Keys that were left out to keep it short. */
  readonly moreKeys: number;
  /** Why it is held or unknown. */
  readonly messages: readonly string[];
}

export interface KeyChange {
  readonly key: string;
  /** `adopt`: it has the desired value and becomes owned; `conflict`: it is somebody else's and has another value. */
  readonly change: 'put' | 'delete' | 'adopt' | 'conflict';
  /** Fingerprints of the values (the values themselves only in a local plan); null is absent, `?` cannot be read. */
  readonly before: string | null;
  readonly after: string | null;
}

/** Details of an activity's failure. */
export interface FailureDetails {
  /** Whether the place may have been changed by the attempt, or by an earlier one whose end is not known. */
  readonly wrote: 'no' | 'unknown';
}

/** The activities as workflows see them. */
export interface Activities {
  /** Reads Git and the sinks, validates everything, writes nothing (I1). */
  prepare(input: PrepareInput): Promise<Prepared>;
  /** Writes one target and proves it by a fresh read. */
  applyTarget(input: ApplyTargetInput): Promise<Applied>;
  /** Undoes what a write of this run did to one target, if it did anything, and shuts out its late attempts. */
  restoreTarget(input: RestoreTargetInput): Promise<Restored>;
  /** Tells logs and metrics how a request ended. */
  report(input: ReportInput): Promise<void>;
  /** Does all that `prepare` does and tells the changes by key; writes nothing. */
  planStream(input: PlanStreamInput): Promise<StreamPlan>;
  /** Starts a run for every stream of the tenant, at its head as Git says now; gives their number. */
  requestSync(input: RequestSyncInput): Promise<{ readonly streams: number }>;
  /** Reads what is due of a tenant's targets and of the heads of its streams; writes nothing. `gone`: the bundle has no such tenant. */
  checkTenant(input: CheckTenantInput): Promise<TenantCheck | { readonly kind: 'gone' }>;
  /** Hands requests to the SyncWorkflows of their streams. */
  startRuns(input: StartRunsInput): Promise<void>;
}

/** The activities of the task queue `<queue>-watch`, where each lasts and takes no place from the others. */
export interface WatchActivities {
  /** Holds the subscriptions of a tenant, and signals `checkNow` for what changed and was not changed by a run of ours; lasts until it is cancelled. */
  watchTenant(input: { readonly tenant: string }): Promise<void>;
}
