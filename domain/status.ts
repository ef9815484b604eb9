/** What a run can end as. */
export type RunStatus = 'Synced' | 'Unchanged' | 'Superseded' | 'Rejected' | 'Held' | 'RolledBack' | 'Partial' | 'Failed' | 'Parked';

/** What one target can end as. */
export type TargetStatus = 'Synced' | 'Unchanged' | 'Unverifiable' | 'Restored' | 'Failed' | 'Skipped' | 'Superseded';

/** A target by its names: which destination of which rule in which environment. */
export interface TargetName {
  readonly rule: string;
  readonly environment: string;
  /** Name and kind of the sink, and the place with its template filled in. */
  readonly sink: string;
  readonly kind: string;
  readonly place: string;
}

export interface TargetOutcome extends TargetName {
  readonly status: TargetStatus;
  readonly changes?: ChangeCounts;
  /** Why it failed, or what is there now; never a value. */
  readonly message?: string;
}

/** How many keys a write put, deleted and adopted, and the first names of those it changed. */
export interface ChangeCounts {
  readonly puts: number;
  readonly deletes: number;
  readonly adopted: number;
  readonly keys: readonly string[];
}

export interface RunOutcome {
  readonly status: RunStatus;
  /** One sentence for people. */
  readonly summary: string;
  /** Commit that the run worked toward; absent if Git was not read so far. */
  readonly commit?: string;
  readonly targets: readonly TargetOutcome[];
  /** Formatted problems of a `Rejected` or `Held` run, bounded, with "and N more" as the last where some were left out. */
  readonly problems: readonly string[];
}

/** Whether a person (or a retry) has to do something before Git and the sinks agree. Such a run ends as a failed workflow, so that lists show it. */
export function endsWell(status: RunStatus): boolean {
  return status === 'Synced' || status === 'Unchanged' || status === 'Superseded' || status === 'Parked';
}

const WORST_FIRST: readonly RunStatus[] = ['Failed', 'RolledBack', 'Partial', 'Held', 'Rejected', 'Parked', 'Superseded', 'Synced', 'Unchanged'];

/** The status that describes several rules of one run: the worst of theirs. */
export function worstOf(statuses: readonly RunStatus[]): RunStatus {
  return WORST_FIRST.find((status) => statuses.includes(status)) ?? 'Unchanged';
}

/** The first of a list of texts, with a line that says how many were left out: histories stay small (bounded payloads). */
export function bounded(texts: readonly string[], most = 50, longest = 500): readonly string[] {
  const shown = texts.slice(0, most).map((text) => (text.length > longest ? `${text.slice(0, longest)}…` : text));
  return texts.length > most ? [...shown, `and ${texts.length - most} more`] : shown;
}
