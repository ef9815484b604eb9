import type { Ledger } from '../domain/ledger.ts';

/** Why a heal at `commit` has to leave a target alone, given the ledger that is there; null where it is what the heal mends. */
export function movedOn(commit: string, ledger: Ledger | null): string | null {
  if (!ledger || Object.keys(ledger.keys).length === 0) return 'nothing says any more what was written there; a run of the stream will';
  return ledger.commit === commit ? null : `${ledger.commit.slice(0, 12)} of ${ledger.stream} was written there since`;
}
