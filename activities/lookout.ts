import pLimit, { type LimitFunction } from 'p-limit';
import { decideWake, NOTHING_SEEN, type WakeMemory } from '../domain/decide-wake.ts';
import type { LedgerView } from '../domain/compare-with-ledger.ts';
import type { SubscribedTarget } from './subscribed-targets.ts';

/** Looks at targets that may have changed, and tells of those that changed and not by a write of ours. */
export interface Lookout {
  touched(target: SubscribedTarget): void;
  /** Lets go of what is remembered of all other targets. */
  retain(ids: ReadonlySet<string>): void;
}

export interface LookoutOptions {
  /** A fresh read of the target, beside its ledger. */
  readonly look: (target: SubscribedTarget, signal: AbortSignal) => Promise<LedgerView>;
  readonly tell: (id: string) => void;
  readonly signal: AbortSignal;
}

/** Changes come in bursts: one look for all that come this close to each other, and one at least this often while they go on. */
const QUIET_MS = 50;
const LONGEST_QUIET_MS = 500;
/** Of the calls that one sink may have at the same time, so that a burst of looks leaves most of them to writes. */
const LOOKS_PER_SINK = 4;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

interface Watched {
  target: SubscribedTarget;
  memory: WakeMemory;
  timer?: NodeJS.Timeout | undefined;
  /** When the burst that waits for its look began. */
  since?: number | undefined;
  looking: boolean;
  touchedAgain: boolean;
  failures: number;
}

export function createLookout({ look, tell, signal }: LookoutOptions): Lookout {
  const all = new Map<string, Watched>();
  const limits = new Map<string, LimitFunction>();
  signal.addEventListener(
    'abort',
    () => {
      for (const { timer } of all.values()) clearTimeout(timer);
      all.clear();
    },
    { once: true },
  );

  function lookIn(watched: Watched, ms: number): void {
    clearTimeout(watched.timer);
    watched.timer = setTimeout(() => void lookAt(watched), ms).unref();
  }

  function touch(watched: Watched): void {
    if (watched.looking) {
      watched.touchedAgain = true;
      return;
    }
    const now = performance.now();
    watched.since ??= now;
    lookIn(watched, Math.max(Math.min(QUIET_MS, watched.since + LONGEST_QUIET_MS - now), 0));
  }

  async function lookAt(watched: Watched): Promise<void> {
    const { target } = watched;
    watched.looking = true;
    watched.since = undefined;
    let again: number | undefined;
    try {
      const view = await limitOf(target.sink)(() => {
        watched.touchedAgain = false;
        return look(target, signal);
      });
      watched.failures = 0;
      // Another target of that id, or none, took its place meanwhile.
      if (signal.aborted || all.get(target.id) !== watched) return;
      const { memory, wake } = decideWake(watched.memory, view, performance.now());
      watched.memory = memory;
      if (wake.kind === 'now') tell(target.id);
      else if (wake.kind === 'look-again') again = wake.at - performance.now();
    } catch {
      // It is as it was, for all we know: the next look tells, and so does the check of the next interval.
      again = Math.min(FIRST_RETRY_MS * 2 ** watched.failures++, LONGEST_RETRY_MS);
    } finally {
      watched.looking = false;
      if (!signal.aborted && all.get(target.id) === watched) {
        if (watched.touchedAgain) touch(watched);
        else if (again !== undefined) lookIn(watched, Math.max(again, 1));
      }
    }
  }

  function limitOf(sink: string): LimitFunction {
    const limit = limits.get(sink) ?? pLimit(LOOKS_PER_SINK);
    limits.set(sink, limit);
    return limit;
  }

  return {
    touched(target) {
      if (signal.aborted) return;
      const known = all.get(target.id);
      if (known && isSamePlace(known.target, target)) {
        known.target = target;
        return touch(known);
      }
      clearTimeout(known?.timer);
      const watched: Watched = { target, memory: NOTHING_SEEN, looking: false, touchedAgain: false, failures: 0 };
      all.set(target.id, watched);
      touch(watched);
    },
    retain(ids) {
      for (const [id, { timer }] of all) {
        if (ids.has(id)) continue;
        clearTimeout(timer);
        all.delete(id);
      }
    },
  };
}

function isSamePlace(a: SubscribedTarget, b: SubscribedTarget): boolean {
  return a.sink === b.sink && a.place.name === b.place.name && a.place.layout === b.place.layout;
}
