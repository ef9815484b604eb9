import type { Fingerprint, Ledger } from '../../domain/ledger.ts';
import type { RenderedEntry } from '../../domain/plan.ts';
import { SinkError } from '../errors.ts';
import { readDocument, type DocumentContent } from '../leaf-document.ts';
import type { ChartIdentity } from './charts.ts';
import type { ReleaseRecord } from './records.ts';
import { decodeStored, ledgerOf, type StoredLedger } from './stored-ledger.ts';

/** A release as its records tell it. */
export interface ReleaseView {
  readonly newest: ReleaseRecord | undefined;
  /** Changes with every write of a record. */
  readonly version: string;
  /** False where there is no release, or one that was uninstalled with its history kept. */
  readonly exists: boolean;
  /** The values of the newest revision; absent as `exists` says. */
  readonly content: DocumentContent | null;
  readonly ledger: Ledger | null;
  readonly stored: StoredLedger | null;
  /** The record that the ledger was written for; undefined when the history has lost it. */
  readonly home: ReleaseRecord | undefined;
}

/** No release holds more: a Secret takes 1 MiB, but what is in it is compressed. */
const MAX_LIVE_BYTES = 64 * 1024 * 1024;
export const UNDONE = 'uninstalled';

/**
 * Labels go on from revision to revision, also to those that people make, and a rollback brings old ones back. So the ledger is the one of the
 * highest generation in any of them; whether the newest revision is the one that it was written for tells what people did since.
 */
export function viewOf(records: readonly ReleaseRecord[], wanted: ChartIdentity | null, fingerprint: Fingerprint, where: string): ReleaseView {
  const newest = records.at(-1);
  const exists = newest !== undefined && newest.status !== UNDONE;
  const content = exists ? contentOf(newest) : null;
  const stored = records.map((record) => storedIn(record, where)).reduce(higher, null);
  const home = stored ? records.find((record) => record.revision === stored.revision) : undefined;
  return {
    newest,
    version: newest ? `${newest.name} ${newest.resourceVersion}` : 'absent',
    exists,
    content,
    stored,
    home,
    ledger:
      stored && ledgerOf(stored.head, isDone(newest, stored, wanted) ? 'committed' : 'intent', keysOf(home ?? (exists ? newest : undefined), fingerprint)),
  };
}

/** The entries of a revision's values. */
export function contentOf(record: ReleaseRecord): DocumentContent {
  return readDocument(Buffer.from(record.content().values), 'values', 'json', MAX_LIVE_BYTES);
}

export function leavesOf(content: DocumentContent | null): ReadonlyMap<string, RenderedEntry> {
  return content && 'leaves' in content ? content.leaves : new Map();
}

/** Whether the release is whole, and made of the chart that the destination names; if not, the next run writes it anew. */
function isDone(newest: ReleaseRecord | undefined, { head }: StoredLedger, wanted: ChartIdentity | null): boolean {
  if (newest?.status === UNDONE || newest === undefined) return true;
  if (newest.status !== 'deployed') return false;
  if (head.owns === 'nothing' || wanted === null) return true;
  const { chart } = newest.content();
  return chart.name === wanted.name && chart.version.replace(/^v/, '') === wanted.version.replace(/^v/, '');
}

function storedIn(record: ReleaseRecord, where: string): StoredLedger | null {
  try {
    return decodeStored(record.labels);
  } catch (error) {
    const why = error instanceof TypeError ? error.message : 'the ledger cannot be read';
    throw new SinkError('rejected', `${where}: ${why} (labels vartrack.dev/ledger of the Secret ${record.name}); put them right, or remove them`);
  }
}

function higher(best: StoredLedger | null, next: StoredLedger | null): StoredLedger | null {
  return next && (!best || next.head.generation > best.head.generation) ? next : best;
}

function keysOf(record: ReleaseRecord | undefined, fingerprint: Fingerprint): Ledger['keys'] {
  if (!record) return {};
  return Object.fromEntries([...leavesOf(contentOf(record))].map(([key, { text }]) => [key, fingerprint(text)] as const));
}
