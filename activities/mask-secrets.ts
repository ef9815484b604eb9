import type { Fingerprint, Ledger } from '../domain/ledger.ts';
import type { LiveState } from '../domain/plan.ts';
import type { TargetState } from './stream-state.ts';

/**
 * The target with something in the place of its secrets that compares as they would, by the fingerprints of the ledger: a check must not read values, and
 * what a secret was changed to since is the business of a rotation. Goes with a fingerprint that knows what stands for what.
 */
export function maskSecrets(target: TargetState, live: LiveState, ledger: Ledger, fingerprint: Fingerprint): { target: TargetState; fingerprint: Fingerprint } {
  if (target.secretKeys.size === 0) return { target, fingerprint };
  const written = new Map<string, string>();
  const entries = target.entries.map((entry) => {
    if (!target.secretKeys.has(entry.key)) return entry;
    const expected = Object.hasOwn(ledger.keys, entry.key) ? ledger.keys[entry.key] : undefined;
    const text = live.entries.get(entry.key);
    if (typeof text === 'string' && fingerprint(text) === expected) return { ...entry, text };
    // Longer than what is there, so never equal to it.
    const mask = `${text ?? ''}\u0000${entry.key}`;
    if (expected !== undefined) written.set(mask, expected);
    return { ...entry, text: mask };
  });
  return { target: { ...target, entries }, fingerprint: (text) => written.get(text) ?? fingerprint(text) };
}
