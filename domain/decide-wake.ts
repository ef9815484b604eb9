import type { LedgerView } from './compare-with-ledger.ts';

/** What the holder of a subscription remembers of one target. */
export interface WakeMemory {
  readonly hadLedger: boolean;
  /** What was told and not seen healed since, when (milliseconds), and how often. */
  readonly told?: { readonly digest: string; readonly generation: number | null; readonly at: number; readonly times: number };
}

export type Wake = { readonly kind: 'no' } | { readonly kind: 'now' } | { readonly kind: 'look-again'; readonly at: number };

export const NOTHING_SEEN: WakeMemory = { hadLedger: false };

/** Between two words about one target, as long as nothing healed it; doubled while it says the same, since the watch knows. */
const SHORTEST_MS = 1_000;
const LONGEST_MS = 60_000;

/** Whether the tenant's watch has to hear of what was just seen. The first word of a drift goes at once. */
export function decideWake(memory: WakeMemory, view: LedgerView, now: number): { readonly memory: WakeMemory; readonly wake: Wake } {
  // Whoever writes tells how it ended with the next change; timers find those that died.
  if (view.kind === 'writing') return { memory: { ...memory, hadLedger: true }, wake: { kind: 'no' } };
  if (view.kind === 'agrees') return { memory: { hadLedger: true }, wake: { kind: 'no' } };
  if (view.kind === 'no-ledger' && !memory.hadLedger) return { memory, wake: { kind: 'no' } };
  const [digest, generation] = view.kind === 'no-ledger' ? ['gone', null] : [view.digest, view.generation];
  const { told } = memory;
  if (told?.digest === digest) {
    const isDue = now >= told.at + Math.min(SHORTEST_MS * 2 ** (told.times - 1), LONGEST_MS);
    return isDue ? tell(digest, told.times + 1) : { memory, wake: { kind: 'no' } };
  }
  // Another generation: it was healed, and drifted again before anybody saw that.
  if (told && told.generation === generation && now < told.at + SHORTEST_MS) return { memory, wake: { kind: 'look-again', at: told.at + SHORTEST_MS } };
  return tell(digest, 1);

  function tell(what: string, times: number): ReturnType<typeof decideWake> {
    return { memory: { hadLedger: true, told: { digest: what, generation, at: now, times } }, wake: { kind: 'now' } };
  }
}
