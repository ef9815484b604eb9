import type { DriftedKey } from './drift.ts';
import type { Fingerprint } from './ledger.ts';
import type { HeldPlan, LiveState, RenderedEntry, WritePlan } from './plan.ts';

/** How a place differs from what was applied there. */
export interface Drift {
  /** The first keys that differ, by name. */
  readonly keys: readonly DriftedKey[];
  readonly moreKeys: number;
  /** One text for all that differs, as it is now. */
  readonly digest: string;
}

export const MOST_DRIFTED_KEYS = 20;
const LONGEST_KEY = 200;

/**
 * What a plan that is not empty says of a place: which keys are not as they were applied, each with the fingerprint that it should have and the one that it
 * has. `fingerprint` has to be the one of the plan; keys that only their ledger lost differ in nothing and are not listed, but the digest tells them.
 */
export function driftOf(plan: WritePlan | HeldPlan, entries: readonly RenderedEntry[], live: LiveState, fingerprint: Fingerprint): Drift {
  const seen = (text: string | null | undefined): string | null => (text === null ? null : text === undefined ? '?' : fingerprint(text));
  const now = (key: string): string | null => (live.entries.has(key) ? seen(live.entries.get(key) ?? undefined) : null);
  const keys = (plan.kind === 'held' ? heldKeys(plan, entries, now, fingerprint) : writtenKeys(plan, seen, fingerprint)).toSorted((a, b) =>
    a.key < b.key ? -1 : 1,
  );
  const adopted = plan.kind === 'write' ? plan.adopted.toSorted() : [];
  const lines = [plan.kind, live.ledger?.state ?? 'none', live.corrupt ?? '', ...keys.map(({ key, drift, live: found }) => [key, drift, found]), adopted];
  return {
    keys: keys.slice(0, MOST_DRIFTED_KEYS).map((each) => ({ ...each, key: shortened(each.key) })),
    moreKeys: Math.max(keys.length - MOST_DRIFTED_KEYS, 0),
    digest: fingerprint(JSON.stringify(lines)),
  };
}

function writtenKeys({ puts, deletes }: WritePlan, seen: (text: string | null | undefined) => string | null, fingerprint: Fingerprint): DriftedKey[] {
  return [
    ...puts.map(({ entry, before }): DriftedKey => ({
      key: entry.key,
      drift: before === null ? 'missing' : 'changed',
      expected: fingerprint(entry.text),
      live: seen(before),
    })),
    ...deletes.map(({ key, before }): DriftedKey => ({ key, drift: 'extra', expected: null, live: seen(before) })),
  ];
}

/** What stands in the way of a person's decision; where it is the place as a whole, no key. */
function heldKeys({ holds }: HeldPlan, entries: readonly RenderedEntry[], now: (key: string) => string | null, fingerprint: Fingerprint): DriftedKey[] {
  const texts = new Map(entries.map(({ key, text }) => [key, text]));
  const keys = new Map<string, DriftedKey>();
  for (const key of holds.flatMap((hold) => hold.keys)) {
    const text = texts.get(key);
    keys.set(key, { key, drift: text === undefined ? 'extra' : 'changed', expected: text === undefined ? null : fingerprint(text), live: now(key) });
  }
  return [...keys.values()];
}

function shortened(key: string): string {
  return key.length <= LONGEST_KEY ? key : `${key.slice(0, LONGEST_KEY - 1)}…`;
}
