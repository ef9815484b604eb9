import { encodeLedger, type Ledger } from '../../domain/ledger.ts';
import type { WritePlan } from '../../domain/plan.ts';
import { SinkError } from '../errors.ts';
import type { Changes, ConfigMap, ConfigMaps } from './config-maps.ts';
import { bytesOf, changedContent, dataPatch, digestOf, MAX_DATA_BYTES, type Change, type Content, type Stored } from './content.ts';
import { IMMUTABLE } from './kubernetes-error.ts';
import { annotation, BESIDE, labelOf, undoRecordOf, type Seen } from './look.ts';
import { DOMAIN, type PlaceNames } from './place-names.ts';
import { MANAGED_BY, OURS, undoBeside, writeSide } from './side.ts';
import { encodeUndoRecord, mergeUndo } from './undo-record.ts';

/** What Kubernetes takes for names and values of all annotations of one object. */
export const MAX_ANNOTATION_BYTES = 256 * 1024;

type Next = ReadonlyMap<string, Stored | null>;

/** The writes of a place, each conditional on what was seen. All throw `conflict`, having changed nothing that stays, if somebody else was faster. */
export interface Writer {
  /** Values, ledger and undo record in one step. With `rolls` the ledger says that the write is not complete; `commit` ends it. */
  write(names: PlaceNames, seen: Seen, plan: WritePlan, changes: readonly Change[], rolls: boolean, signal: AbortSignal): Promise<void>;
  commit(names: PlaceNames, seen: Seen, ledger: Ledger, signal: AbortSignal): Promise<void>;
  giveUp(names: PlaceNames, seen: Seen, changes: readonly Change[], signal: AbortSignal): Promise<void>;
  /** `made`: the write that is undone made the ConfigMap. */
  putBack(names: PlaceNames, seen: Seen, side: ConfigMap | null, made: boolean, next: Next, restored: Ledger, signal: AbortSignal): Promise<void>;
}

/** `maxAnnotationBytes`: above it an undo record goes into the ConfigMap beside. */
export function createWriter(maps: ConfigMaps, maxAnnotationBytes: number = MAX_ANNOTATION_BYTES): Writer {
  async function write(names: PlaceNames, seen: Seen, plan: WritePlan, changes: readonly Change[], rolls: boolean, signal: AbortSignal): Promise<void> {
    const next = new Map(changes.filter(({ action }) => action !== 'check').map((change) => [change.key, change.next]));
    const after = fitting(names, seen, next);
    const { main, ledger } = seen;
    const formerBeside = annotation(main, names.undo) === BESIDE;
    let side = seen.home === 'side' ? seen.side : formerBeside ? await maps.get(names.side, signal) : null;
    const unfinished = ledger?.state === 'intent' ? await undoRecordOf(names, seen, side) : null;
    const { generation, write: id } = plan.ledger;
    const undone = [...next].map(([key, stored]) => ({ key, before: seen.content.get(key) ?? null, wrote: digestOf(stored) }));
    const packed = await encodeUndoRecord(mergeUndo(unfinished, { generation, write: id, ledger, made: main === null, changes: undone }));
    const text = encodeLedger(rolls ? { ...plan.ledger, state: 'intent' } : plan.ledger);
    if (main === null && after.size === 0) {
      // A ConfigMap without data would not be nothing for those who ask for it.
      await writeSide(maps, names, side, { metadata: { annotations: { [names.ledger]: text, [names.undo]: packed } } }, signal);
      if ((await maps.get(names.main, signal)) !== null) throw new SinkError('conflict', `${labelOf(names)}: it was made at the same time`);
      return;
    }
    const isInline = annotationBytes(names, main, text, packed) <= maxAnnotationBytes;
    if (!isInline) {
      side ??= await maps.get(names.side, signal);
      side = await writeSide(maps, names, side, undoBeside(names, side, ledger?.generation ?? 0, { generation, packed }), signal);
    }
    const annotations = { [names.ledger]: text, [names.undo]: isInline ? packed : BESIDE };
    const patch = { metadata: { annotations }, ...dataPatch(seen.content, next) };
    const made = main
      ? await maps.patch(names.main, main, patch, signal)
      : await maps.create(names.main, { ...patch, metadata: { annotations, labels: { [MANAGED_BY]: OURS } } }, signal);
    if (seen.home === 'side') side = await proveFence(names, seen, made, next, signal);
    if (side && isInline) await ignoreLostRace(maps.delete(names.side, side, signal));
    else if (side && annotation(side, names.ledger) !== null)
      await ignoreLostRace(maps.patch(names.side, side, { metadata: { annotations: { [names.ledger]: null, [names.undo]: null } } }, signal));
  }

  /**
   * Two ConfigMaps do not change in one step: while this writer stood still, others may have written the place, undone that, and left the proof in the
   * one beside. Then what was just written is taken back.
   */
  async function proveFence(names: PlaceNames, seen: Seen, made: ConfigMap, next: Next, signal: AbortSignal): Promise<ConfigMap | null> {
    const side = await maps.get(names.side, signal);
    if (annotation(side, names.ledger) === seen.ledgerText) return side;
    const back = new Map([...next.keys()].map((key) => [key, seen.content.get(key) ?? null]));
    const annotations = { [names.ledger]: null, [names.undo]: null };
    if (seen.main === null) await maps.delete(names.main, made, signal);
    else await maps.patch(names.main, made, { metadata: { annotations }, ...dataPatch(changedContent(seen.content, next), back) }, signal);
    throw new SinkError('conflict', `${labelOf(names)}: it was written and undone since it was read`);
  }

  async function commit(names: PlaceNames, { main, side, home }: Seen, ledger: Ledger, signal: AbortSignal): Promise<void> {
    const patch = { metadata: { annotations: { [names.ledger]: encodeLedger(ledger) } } };
    if (home === 'side') await writeSide(maps, names, side, patch, signal);
    else if (main) await maps.patch(names.main, main, patch, signal);
  }

  async function giveUp(names: PlaceNames, seen: Seen, changes: readonly Change[], signal: AbortSignal): Promise<void> {
    const { main, home } = seen;
    const next = new Map(changes.filter(({ action }) => action === 'delete').map(({ key }) => [key, null]));
    const after = fitting(names, seen, next);
    const side = home === 'side' ? seen.side : await maps.get(names.side, signal);
    // The ledger last: while it is there, the removal is known to be unfinished.
    if (side) await maps.delete(names.side, side, signal);
    if (!main || home === 'side') return;
    if (isHollow(names, main, after)) return await maps.delete(names.main, main, signal);
    const metadata = { annotations: { [names.ledger]: null, [names.undo]: null }, ...labelsWithout(names, main) };
    await maps.patch(names.main, main, { metadata, ...dataPatch(seen.content, next) }, signal);
  }

  async function putBack(
    names: PlaceNames,
    seen: Seen,
    side: ConfigMap | null,
    made: boolean,
    next: Next,
    restored: Ledger,
    signal: AbortSignal,
  ): Promise<void> {
    const { main } = seen;
    const annotations: Changes = { [names.ledger]: encodeLedger(restored), [names.undo]: null };
    const binaryData = Object.fromEntries(Object.keys(side?.binaryData ?? {}).map((key) => [key, null]));
    const aside = { metadata: { annotations }, binaryData };
    if (!main || seen.home === 'side') {
      await writeSide(maps, names, side, aside, signal);
      return;
    }
    const after = fitting(names, seen, next);
    if (made && isHollow(names, main, after)) {
      // First the proof that the place was undone, then the place: whoever comes between the two finds the main one's ledger, and undoes
      // again, for which a record that is beside stays. It holds no value: there was none.
      await writeSide(maps, names, side, { metadata: { annotations } }, signal);
      return await maps.delete(names.main, main, signal);
    }
    await maps.patch(names.main, main, { metadata: { annotations, ...(made ? labelsWithout(names, main) : {}) }, ...dataPatch(seen.content, next) }, signal);
    if (side) await ignoreLostRace(maps.delete(names.side, side, signal));
  }

  return { write, commit, giveUp, putBack };
}

/** The content after the write, if Kubernetes takes it. */
function fitting(names: PlaceNames, { main, content }: Seen, next: Next): Content {
  const after = changedContent(content, next);
  const isSame = [...next].every(([key, stored]) => digestOf(stored) === digestOf(content.get(key)));
  if (isSame) return after;
  if (main?.immutable === true) throw new SinkError('rejected', `${labelOf(names)}: ${IMMUTABLE}`);
  const bytes = bytesOf(after);
  if (bytes <= MAX_DATA_BYTES) return after;
  const what = `all data of the ConfigMap would have ${bytes} bytes, above the limit of ${MAX_DATA_BYTES}; take a ConfigMap of its own, or split it`;
  throw new SinkError('too-large', `${labelOf(names)}: ${what}`);
}

/** With the undo record. Throws `too-large` if even the ledger alone does not fit. */
function annotationBytes(names: PlaceNames, main: ConfigMap | null, ledger: string, undo: string): number {
  const others = Object.entries(main?.metadata.annotations ?? {}).filter(([name]) => name !== names.ledger && name !== names.undo);
  const bytes = [...others, [names.ledger, ledger], [names.undo, BESIDE]].reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')), 0);
  if (bytes > MAX_ANNOTATION_BYTES) {
    const what = `its annotations would have ${bytes} bytes with the ledger, above the limit of ${MAX_ANNOTATION_BYTES}; write fewer or shorter keys, or split it`;
    throw new SinkError('too-large', `${labelOf(names)}: ${what}`);
  }
  return bytes - BESIDE.length + undo.length;
}

/** Whether the ConfigMap is ours and holds nothing of others, so that it goes with the last value. */
function isHollow(names: PlaceNames, { metadata }: ConfigMap, after: Content): boolean {
  const { labels = {}, annotations = {}, ownerReferences = [], finalizers = [] } = metadata;
  const strange = Object.keys(annotations).filter((name) => name !== names.ledger && name !== names.undo);
  const isOurs = labels[MANAGED_BY] === OURS && Object.keys(labels).length === 1;
  return after.size === 0 && strange.length === 0 && isOurs && ownerReferences.length === 0 && finalizers.length === 0;
}

/** A ConfigMap that keeps what others put into it is no longer ours, unless another place of ours is in it. */
function labelsWithout(names: PlaceNames, { metadata }: ConfigMap): { readonly labels?: Changes } {
  const others = Object.keys(metadata.annotations ?? {}).filter((name) => name.startsWith(`${DOMAIN}/ledger`) && name !== names.ledger);
  return metadata.labels?.[MANAGED_BY] === OURS && others.length === 0 ? { labels: { [MANAGED_BY]: null } } : {};
}

/** Of what is only tidied up: the next write finds it. */
async function ignoreLostRace(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!(error instanceof SinkError) || error.reason !== 'conflict') throw error;
  });
}
