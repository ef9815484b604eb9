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
  /** A freeze of its rule, now. */
  readonly freeze?: Freeze;
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
  /** Of a pull request that was closed: what is left to do is its clean-up. */
  readonly trigger?: 'closed';
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
  /** Repositories whose heads were read; of all their streams that are not in `streams` there is no news. */
  readonly polled: readonly string[];
  readonly moreStreams: number;
  /** Why repositories could not be polled. */
  readonly pollProblems: readonly string[];
  readonly freeze: Freeze | null;
  /** Secrets whose newest version may not be everywhere yet, with the targets that refer to them; see {@link RotatedSecret}. */
  readonly rotated: readonly RotatedSecret[];
  /** Versions to know from now on, by `manager:path`; null where nothing was asked. */
  readonly secretVersions: Readonly<Record<string, number>> | null;
  /** Whether some sink of the tenant can tell of changes by itself. */
  readonly notifies: boolean;
}

export interface RotatedSecret {
  readonly secret: string;
  readonly version: number;
  /** Also if that version is known: the run that was to write it did not end well. */
  readonly again?: true;
  readonly targets: readonly CheckedTarget[];
}

/** What the watch knows of a target beyond the last check. */
export interface WatchedTarget extends Omit<CheckedTarget, 'status'> {
  readonly status: CheckStatus | 'Healing' | 'Contested';
  /** ISO 8601: since when it is drifted, or unknown. */
  readonly since?: string;
  /** Heals of late, ISO 8601, oldest first; in the answer of the query. */
  readonly heals?: readonly string[];
  /** ISO 8601: when the next heal may be tried; in the answer of the query. */
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

/** All that a watch carries from run to run. Times are ISO 8601. */
export interface WatchState {
  readonly groups: readonly WatchedGroup[];
  readonly pollIntervals: readonly PollTimes[];
  readonly streams: readonly WatchedStream[];
  readonly pollProblems: readonly string[];
  readonly freeze: Freeze | null;
  readonly secretVersions: Readonly<Record<string, number>>;
  readonly notifies: boolean;
  readonly checkedAt: string | null;
  /** Why the last check found nothing out. */
  readonly problem: string | null;
  /** Since when the bundle has no such tenant. */
  readonly goneAt: string | null;
  /** What is to be checked whatever is due. */
  readonly asked: AskedChecks;
  /** Targets that were healed lately or are looked at again soon; kept apart from the groups, where a target that is well may be left out. */
  readonly healing: readonly HealRecord[];
  /** Attempts at heads that were not applied, also while a run works on them. */
  readonly attempts: readonly StreamAttempts[];
  /** Runs that were to write newer versions of secrets. */
  readonly rotations: readonly RotationAttempts[];
  /** Runs that are wanted and not yet handed over. */
  readonly wanted: readonly WantedRun[];
  /** Runs wanted so far; makes their ids unique. */
  readonly wantedCount: number;
  /** Every stream is to be started at its head, and on whose behalf. */
  readonly startAll: { readonly by: string } | null;
}

export interface RotationAttempts {
  readonly secret: string;
  readonly version: number;
  readonly attempts: number;
  /** ISO 8601, of the last one. */
  readonly at: string;
}

export interface AskedChecks {
  readonly everything: boolean;
  /** With everything: also the heads of repositories that are never polled. */
  readonly neverPolled?: boolean;
  readonly targets: readonly string[];
  readonly forced: readonly ForcedHeal[];
}

/** A person wants a heal, whatever was tried before; of all targets where none is named. */
export interface ForcedHeal {
  readonly by: string;
  readonly targets?: readonly string[];
  readonly force?: true;
}

export interface HealRecord {
  readonly id: string;
  /** Heals of late, oldest first. */
  readonly heals: readonly string[];
  /** A heal was begun and nothing newer is known. */
  readonly isHealing?: true;
  /** When to look again, and how long the wait before was. */
  readonly recheckAt?: string;
  readonly recheckMs?: number;
  /** Since when it is not healed any more because something else changes it back. */
  readonly contestedAt?: string;
  /** While contested: what it looked like last, and since when. */
  readonly seen?: string;
  readonly seenSince?: string;
}

export interface StreamAttempts {
  readonly repository: string;
  readonly stream: string;
  readonly head: string;
  readonly attempts: number;
  /** Of the last attempt; before the first, when it was seen to have failed. */
  readonly at: string;
}

/** A request for the SyncWorkflow of a stream. */
export interface WantedRun {
  readonly repository: string;
  readonly stream: string;
  readonly request: {
    readonly id: string;
    readonly trigger: 'heal' | 'rotation' | 'poll' | 'closed';
    readonly ref: RefEvent;
    readonly commit?: string;
    readonly by?: string;
    readonly force?: true;
    readonly only?: readonly string[];
    readonly since?: string;
  };
}

export interface WatchedGroup {
  readonly intervalMs: number;
  /** When its next check is due. */
  readonly dueAt: string;
  /** Empty where more is known than the last check of the whole group said. */
  readonly digest: string;
  readonly targets: readonly WatchedTarget[];
  readonly more: number;
}

export interface PollTimes {
  readonly intervalMs: number;
  readonly dueAt: string;
  /** Polls in a row that could read no repository. */
  readonly failures: number;
}
