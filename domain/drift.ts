import type { RefEvent } from './routing.ts';
import type { TargetName } from './status.ts';

// What a check of a tenant tells, and what its watch remembers of it. Plain JSON: it crosses activities, and a continued run carries it.

/** Names a target within its tenant: `rule/environment/destination`, the last being the index in the rule. */
export function targetId({ rule, environment, destination }: { readonly rule: string; readonly environment: string; readonly destination: number }): string {
  return `${rule}/${environment}/${destination}`;
}

/**
 * How a target stands against the commit that was applied last.
 * `Unverifiable`: values that cannot be read back; nothing else differs. `Unknown`: it could not be read, so nothing is said. `Syncing`: a run works on it.
 * `Pending`: it has never been applied, or its head waits for something else than a heal.
 */
export type CheckStatus = 'InSync' | 'Unverifiable' | 'Drifted' | 'Unknown' | 'Syncing' | 'Pending';

/** One target as a fresh read found it. */
export interface CheckedTarget extends TargetName {
  readonly id: string;
  readonly repository: string;
  readonly stream: string;
  readonly event: RefEvent;
  readonly mode: 'heal' | 'warn';
  readonly status: CheckStatus;
  /** The commit that was applied last, as its ledger says. */
  readonly commit?: string;
  /** Of a drifted one: what a heal would have to do. `sync`: its ledger is gone, so the stream is brought to its head. */
  readonly remedy?: 'heal' | 'sync';
  /** The first keys that differ. */
  readonly keys?: readonly DriftedKey[];
  readonly moreKeys?: number;
  /** One text for all that differs, as it is now: while a writer fights back, it changes or comes back; when nobody does, it stays. */
  readonly digest?: string;
  /** Why it is unknown, pending or drifted as a whole; never a value. */
  readonly message?: string;
}

export interface DriftedKey {
  readonly key: string;
  /** `extra`: owned by us, and no longer desired. */
  readonly drift: 'changed' | 'missing' | 'extra';
  /** Fingerprints; null is absent, `?` cannot be read. */
  readonly expected: string | null;
  readonly live: string | null;
}

/** A stream whose head is not applied. */
export interface StreamNews {
  readonly repository: string;
  readonly stream: string;
  readonly event: RefEvent;
  readonly head: string;
  /** `moved`: no run has worked toward the head. `failed`: one has, and what stopped it may pass. `waiting`: it needs a new commit or a person. */
  readonly state: 'moved' | 'failed' | 'waiting';
  /** How the last run ended, where there was one. */
  readonly message?: string;
}

/** A time in which nothing is written without force. */
export interface Freeze {
  readonly reason: string;
  /** ISO 8601. */
  readonly until: string;
}

/** The rules of one drift interval. */
export interface CheckedGroup {
  readonly intervalMs: number;
  /** Null: exactly as `digest` of the request said. Else worst first, and `more` were left out. */
  readonly targets: readonly CheckedTarget[] | null;
  readonly more: number;
  /** Of the whole group. */
  readonly digest: string;
}

/** What one check of a tenant found. */
export interface TenantCheck {
  readonly kind: 'checked';
  /** ISO 8601, when it began. */
  readonly at: string;
  /** Every interval that rules with a watch have now; of those asked, what was found. */
  readonly intervals: readonly number[];
  readonly groups: readonly CheckedGroup[];
  /** Of targets that were asked by id. */
  readonly targets: readonly CheckedTarget[];
  /** Every interval at which repositories are polled now. */
  readonly pollIntervals: readonly number[];
  /** Null where no poll was asked. The first of them; `moreStreams` were left out and come with the next poll. */
  readonly streams: readonly StreamNews[] | null;
  readonly moreStreams: number;
  /** Why repositories could not be polled. */
  readonly pollProblems: readonly string[];
  readonly freeze: Freeze | null;
  /** Secrets that have a newer version than the one known, with the targets that refer to them; see {@link RotatedSecret}. */
  readonly rotated: readonly RotatedSecret[];
  /** Versions to know from now on, by `manager:path`; null where nothing was asked. */
  readonly secretVersions: Readonly<Record<string, number>> | null;
  /** Whether some sink of the tenant can tell of changes by itself. */
  readonly notifies: boolean;
}

export interface RotatedSecret {
  readonly secret: string;
  readonly version: number;
  readonly targets: readonly CheckedTarget[];
}

/** What the watch knows of a target beyond the last check. */
export interface WatchedTarget extends Omit<CheckedTarget, 'status'> {
  readonly status: CheckStatus | 'Healing' | 'Contested';
  /** ISO 8601: since when it is drifted, or unknown. */
  readonly since?: string;
  /** Heals of late, ISO 8601, oldest first. */
  readonly heals?: readonly string[];
  /** ISO 8601: when the next heal may be tried. */
  readonly nextHealAt?: string;
}

export interface WatchedStream extends StreamNews {
  /** Runs that the watch has started for this head. */
  readonly attempts: number;
  /** ISO 8601: when the next one starts; absent where none will. */
  readonly nextAttemptAt?: string;
}

/** The tenant as a whole, worst first; also Temporal's search attribute DriftStatus. */
export type WatchStatus = 'Contested' | 'Drifted' | 'Unknown' | 'Healing' | 'Pending' | 'InSync';

/** All that a watch carries from run to run. */
export interface WatchState {
  readonly groups: readonly WatchedGroup[];
  readonly pollIntervals: readonly PollTimes[];
  readonly streams: readonly WatchedStream[];
  readonly pollProblems: readonly string[];
  readonly freeze: Freeze | null;
  readonly secretVersions: Readonly<Record<string, number>>;
  readonly notifies: boolean;
  /** ISO 8601. */
  readonly checkedAt: string | null;
}

export interface WatchedGroup {
  readonly intervalMs: number;
  /** ISO 8601. */
  readonly dueAt: string;
  readonly digest: string;
  readonly targets: readonly WatchedTarget[];
  readonly more: number;
}

export interface PollTimes {
  readonly intervalMs: number;
  /** ISO 8601. */
  readonly dueAt: string;
}
