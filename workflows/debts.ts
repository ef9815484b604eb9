import type { PreparedTarget } from '../activities/activity-types.ts';
import type { TargetName } from '../domain/status.ts';
import type { SyncRequest } from './messages.ts';

/** A target that a write of this run changed, or may have changed, and that is not what Git asked for as a whole: it has to be undone or overwritten. */
export interface Debt {
  readonly target: PreparedTarget;
  readonly request: SyncRequest;
  readonly commit: string;
  /** The writes to undo; at most one of them stands there, the latest that got through. */
  readonly writes: readonly string[];
  /** Digest of what it replaced; absent if the write is not known to have happened. */
  readonly prior?: string;
  /** Why it is owed, for people. */
  readonly reason: string;
}

/** The debts of a run, one for each target. */
export class Debts {
  readonly #byTarget = new Map<string, Debt>();

  get size(): number {
    return this.#byTarget.size;
  }

  all(): readonly Debt[] {
    return [...this.#byTarget.values()];
  }

  of(target: TargetName): Debt | undefined {
    return this.#byTarget.get(keyOf(target));
  }

  owe(debt: Debt): void {
    this.#byTarget.set(keyOf(debt.target), debt);
  }

  settle(target: TargetName): void {
    this.#byTarget.delete(keyOf(target));
  }
}

function keyOf(target: TargetName): string {
  return JSON.stringify([target.sink, target.place]);
}
