import type { Fingerprint } from '../domain/ledger.ts';
import type { LiveState } from '../domain/plan.ts';

/** One text for all that a read found at a place: what an undo has brought back has the digest of what the write replaced. */
export function liveDigest(live: LiveState, fingerprint: Fingerprint): string {
  const lines = [...live.entries].map((entry) => JSON.stringify(entry)).toSorted();
  return fingerprint([String(live.exists), live.corrupt ?? '', ...lines].join('\n'));
}
