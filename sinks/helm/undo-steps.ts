import { restoredLedger, type Ledger } from '../../domain/ledger.ts';
import type { ReleaseRecord } from './records.ts';
import { leavesOf, type ReleaseView } from './release-view.ts';
import { headOf, ledgerOf, type StoredLedger, type UndoRecord } from './stored-ledger.ts';

/** The write that the newest revision is what is left of. */
export function unfinished({ newest, stored, home }: ReleaseView): StoredLedger | null {
  return newest && newest === home && newest.status === 'failed' ? stored : null;
}

export function isRollback(newest: ReleaseRecord, stored: StoredLedger, { revision }: UndoRecord): boolean {
  return newest.revision > stored.revision && newest.status === 'deployed' && newest.content().description === `Rollback to ${revision}`;
}

export function isUndoUnderWay(newest: ReleaseRecord, { revision, undo }: StoredLedger): boolean {
  return undo !== null && newest.revision > revision && newest.status === 'pending-rollback' && newest.content().description === `Rollback to ${undo.revision}`;
}

export function isFailedUndo(newest: ReleaseRecord, stored: StoredLedger): boolean {
  return newest.revision > stored.revision && newest.status === 'failed' && newest.content().description.startsWith('Rollback ');
}

/** The ledger that was there before, one generation on; one that owns nothing if there was none. */
export function afterUndo(stored: StoredLedger, { before }: UndoRecord): StoredLedger {
  const whole = (placed: typeof before): Ledger | null => placed && ledgerOf(placed.head, 'committed', { '': '' });
  const ledger = restoredLedger(ledgerOf(stored.head, 'committed', { '': '' }), whole(before));
  return { head: headOf(ledger), revision: before?.revision ?? stored.revision, undo: null };
}

/** How many values an undo has changed: those of the write against those that were there. */
export function changesOf({ ledger, content }: ReleaseView, { revision }: UndoRecord): number {
  const now = revision === 0 ? new Map() : leavesOf(content);
  const was = Object.keys(ledger?.keys ?? {});
  return new Set([...was, ...now.keys()]).size;
}
