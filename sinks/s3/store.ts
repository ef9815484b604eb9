import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { decideRestore, intentLedger, restoredLedger, type Ledger } from '../../domain/ledger.ts';
import type { LiveState, WritePlan } from '../../domain/plan.ts';
import { SinkError } from '../errors.ts';
import type { Place, Receipt, Sink, SinkContext } from '../sink.ts';
import { ABSENT, MAX_DOCUMENT_BYTES, attributesFor, changesOf, namesOf, standsAsPlanned, type Change } from './changes.ts';
import { createConditionsCheck } from './conditions.ts';
import { readDocument } from '../leaf-document.ts';
import { createClaim, type Claim } from './claim.ts';
import { inParallel } from './in-parallel.ts';
import { decodeLedgerObject, type Before, type LedgerObject } from './ledger-object.ts';
import type { Address, Objects, StoredObject } from './objects.ts';
import { entryName, placeNames } from './place-names.ts';
import { provenLedger } from './proven-ledger.ts';
import type { S3Fields } from '../s3.ts';
import { bodyDigest, decodeUndoRecord, encodeUndoRecord, mergeChanges, standingOf, type UndoChange, type UndoRecord } from './undo-record.ts';

const MAX_ROUNDS = 5;
const MAX_UNDO_ROUNDS = 12;
/** Ledgers and undo records; these are ours, so that a larger one is a mistake. */
const MAX_OWN_BYTES = 256 * 1024 * 1024;

/** Objects of S3, each write conditional on the ETag that was read. The order of the steps is told in docs/sinks/s3.md. */
export function createStore(objects: Objects): Sink {
  const assureConditions = createConditionsCheck(objects);

  async function getLedger(place: Place, signal: AbortSignal): Promise<Seen<LedgerObject> | null> {
    const { bucket, ledger } = placeNames(place.name);
    const found = await objects.get({ bucket, key: ledger }, MAX_OWN_BYTES, signal);
    if (!found) return null;
    try {
      return { etag: found.etag, content: decodeLedgerObject(found.body) };
    } catch {
      throw new SinkError('rejected', `${where(place)}: the ledger at ${bucket}/${ledger} is damaged; put it back, or delete it to have equal values adopted`);
    }
  }

  async function getUndo(place: Place, signal: AbortSignal): Promise<Seen<UndoRecord> | null> {
    const { bucket, undo } = placeNames(place.name);
    const found = await objects.get({ bucket, key: undo }, MAX_OWN_BYTES, signal);
    if (!found) return null;
    try {
      return { etag: found.etag, content: decodeUndoRecord(found.body) };
    } catch {
      throw new SinkError('rejected', `${where(place)}: the undo record at ${bucket}/${undo} is damaged; delete it to go on without`);
    }
  }

  function getAll(place: Place, names: readonly string[], signal: AbortSignal): Promise<readonly (StoredObject | null)[]> {
    const { bucket } = placeNames(place.name);
    return inParallel(names, (key) => objects.get({ bucket, key }, MAX_DOCUMENT_BYTES, signal));
  }

  async function read(place: Place<S3Fields>, { keys, signal }: SinkContext): Promise<LiveState> {
    const { name } = placeNames(place.name);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const seen = await getLedger(place, signal);
      const asked = place.layout === 'object' ? [''] : [...new Set([...keys, ...Object.keys(seen?.content.ledger.keys ?? {})])];
      const names = asked.map((key) => name + entryName(key));
      const indexes = new Map(asked.map((key, index) => [key, index]));
      const found = await getAll(place, names, signal);
      const objectAt = (key: string) => {
        const index = place.layout === 'object' ? 0 : (indexes.get(key) ?? -1);
        return { name: names[index] ?? '', object: found[index] ?? null };
      };
      const record = seen?.content.before?.work === undefined ? null : await getUndo(place, signal);
      const ledger = seen && provenLedger(seen.content, record?.content ?? null, objectAt);
      // What was read belongs together if the ledger is still the one that was read first.
      if ((await objects.etag(ledgerAt(place), signal)) !== (seen?.etag ?? null)) continue;
      const base = { exists: found.some((object) => object !== null), ledger };
      if (place.layout === 'keys') {
        const there = asked.flatMap((key, index) => (found[index] ? [[key, textOf(found[index].body)] as const] : []));
        return { ...base, entries: new Map(there), version: seen?.etag ?? ABSENT };
      }
      const [document = null] = found;
      const version = `${seen?.etag ?? ABSENT} ${document?.etag ?? ABSENT}`;
      const content = document === null ? { leaves: new Map<string, never>() } : readDocument(document.body, 'object', place.fields.format, MAX_DOCUMENT_BYTES);
      if ('corrupt' in content) return { ...base, entries: new Map(), version, corrupt: content.corrupt };
      return { ...base, entries: new Map([...content.leaves].map(([key, leaf]) => [key, leaf.text])), version };
    }
    throw new SinkError('unavailable', `${where(place)}: the ledger changed during each of ${MAX_ROUNDS} reads`);
  }

  async function apply(place: Place<S3Fields>, plan: WritePlan, { signal }: SinkContext): Promise<Receipt> {
    const { bucket, probe } = placeNames(place.name);
    const receipt = { generation: plan.ledger.generation, writes: plan.puts.length + plan.deletes.length };
    const seen = await getLedger(place, signal);
    const now = seen?.content;
    // There is nothing left to give up: an earlier attempt has done it.
    if (plan.content === 'remove' && !now) return receipt;
    const isOwn = now?.ledger.write === plan.ledger.write && now.ledger.generation === plan.ledger.generation;
    // An earlier attempt, whose answer was lost, has done it.
    if (isOwn && now.ledger.state === 'committed') return receipt;
    const isResumed = isOwn && now.before?.work === 'write';
    const [baseLedger] = plan.base.version.split(' ');
    if (!isResumed && (seen?.etag ?? ABSENT) !== baseLedger) throw moved(place, now?.ledger);

    const live = await lookAt(place, plan, isResumed, signal);
    const isUnfinished = now?.before?.work !== undefined;
    const before: Before = {
      ledger: isUnfinished ? (now.before?.ledger ?? null) : (now?.ledger ?? null),
      origin: isUnfinished ? (now.before?.origin ?? '') : randomUUID(),
      claim: randomUUID(),
    };
    await assureConditions({ bucket, key: probe }, signal);
    const claim = createClaim(objects, ledgerAt(place), seen?.etag ?? null);
    if (plan.content === 'keep' && !isUnfinished) {
      await claim.write({ ledger: plan.ledger, before }, signal);
      return receipt;
    }
    const claimed = { ledger: intentLedger(plan.ledger, plan.base.ledger), before: { ...before, work: 'write' } } satisfies LedgerObject;
    await claim.write(claimed, signal);
    const held = { etag: claim.etag(), content: claimed };
    try {
      await carryOut(place, plan, before, live, claim, signal);
    } catch (error) {
      // Somebody else was faster with a key. Leaving the claim would make that key ours, so all goes back, but for what is theirs. Where it was the
      // claim that was lost, this fails at its first step.
      if (error instanceof SinkError && error.reason === 'conflict') await undoOnce(place, held, 'leave', signal).catch(() => undefined);
      throw error;
    }
    return receipt;
  }

  /** The objects that the plan touches, each still as the plan saw it, or as an earlier attempt of the same write left it. */
  async function lookAt(place: Place<S3Fields>, plan: WritePlan, isResumed: boolean, signal: AbortSignal): Promise<readonly Target[]> {
    const found = await getAll(place, namesOf(place, plan), signal);
    const changes = changesOf(place, plan, found[0] ?? null);
    return changes.map((change, index) => {
      const object = found[index] ?? null;
      const isDone = isResumed && change.action !== 'check' && bodyDigest(object && object.body) === bodyDigest(change.body);
      if (!isDone && !standsAsPlanned(change, object))
        throw new SinkError('conflict', `${where(place)}: ${change.key === '' ? 'the object' : change.key} changed since it was read`, keyOf(change));
      return { change, object, isDone };
    });
  }

  async function carryOut(place: Place<S3Fields>, plan: WritePlan, before: Before, live: readonly Target[], claim: Claim, signal: AbortSignal): Promise<void> {
    const { bucket, undo } = placeNames(place.name);
    const todo = live.filter(({ change, isDone }) => change.action !== 'check' && !isDone);
    const former = await getUndo(place, signal);
    const unfinished = former?.content.origin === before.origin ? former.content.changes : [];
    const changes = todo.map(({ change, object }): UndoChange => {
      return { name: change.name, before: object && { body: object.body, attributes: object.attributes }, wrote: [bodyDigest(change.body)] };
    });
    const { generation, write } = plan.ledger;
    const { origin, claim: id, ledger } = before;
    const record = { origin, claim: id, generation, write, ledger, changes: mergeChanges(unfinished, changes) };
    const undoEtag = await objects.put({ bucket, key: undo }, former?.etag ?? null, encodeUndoRecord(record), OWN_ATTRIBUTES, signal);
    // Values first and deletes last, so that a reader of renamed keys never finds neither.
    for (const action of ['put', 'delete'] as const) {
      await inParallel(
        todo.filter(({ change }) => change.action === action),
        async ({ change, object }) => {
          await claim.prove(signal);
          const at = { bucket, key: change.name };
          if (change.body !== null) await objects.put(at, object?.etag ?? null, change.body, attributesFor(place, object), signal);
          else if (object) await objects.delete(at, object.etag, signal);
        },
      );
    }
    if (plan.content !== 'remove') return await claim.write({ ledger: plan.ledger }, signal);
    // The ledger last: while it is there, the removal is known to be unfinished.
    await objects.delete({ bucket, key: undo }, undoEtag, signal);
    await claim.giveUp(signal);
  }

  async function restore(place: Place<S3Fields>, generation: number, { signal }: SinkContext): Promise<Receipt> {
    return undoUntilDone(place, generation, 'refuse', signal);
  }

  /** Several may undo one write at the same time; each that loses looks again until it is done, by whomever. */
  async function undoUntilDone(place: Place, generation: number, strangers: 'refuse' | 'leave', signal: AbortSignal): Promise<Receipt> {
    for (let round = 1; ; round++) {
      const seen = await getLedger(place, signal);
      const decision = decideRestore(seen?.content.ledger ?? null, generation);
      if (!seen || decision === 'nothing-to-undo') return { generation: seen?.content.ledger.generation ?? 0, writes: 0 };
      if (decision === 'conflict') throw moved(place, seen.content.ledger, generation);
      // Whoever is at it already is given the time to end.
      if (round > 1) await delay(Math.random() * 100 * round, undefined, { signal }).catch(() => undefined);
      if (round > 1 && (await objects.etag(ledgerAt(place), signal)) !== seen.etag) continue;
      try {
        return await undoOnce(place, seen, strangers, signal);
      } catch (error) {
        if (!(error instanceof SinkError && error.reason === 'conflict') || error instanceof ChangedByOthers || round === MAX_UNDO_ROUNDS) throw error;
      }
    }
  }

  async function undoOnce(place: Place, seen: Claimed, strangers: 'refuse' | 'leave', signal: AbortSignal): Promise<Receipt> {
    const { bucket, undo: undoName } = placeNames(place.name);
    const { ledger: current, before } = seen.content;
    const claim = createClaim(objects, ledgerAt(place), seen.etag);
    if (before && before.work === undefined) {
      // A write of the ledger alone.
      await claim.write({ ledger: restoredLedger(current, before.ledger) }, signal);
      return { generation: current.generation + 1, writes: 0 };
    }
    const found = await getUndo(place, signal);
    const isMatching = before
      ? found?.content.origin === before.origin
      : found?.content.generation === current.generation && found.content.write === current.write;
    const record = isMatching ? found?.content : undefined;
    // A claim without a record has changed nothing yet.
    if (!record && !before)
      throw new SinkError(
        'rejected',
        `${where(place)}: the undo record at ${bucket}/${undoName} is gone, so generation ${current.generation} cannot be undone`,
      );
    const previous = before ? before.ledger : (record?.ledger ?? null);
    const todo = await pending(place, record?.changes ?? [], strangers, signal);
    const ids = { origin: before?.origin ?? record?.origin ?? '', claim: randomUUID() };
    await claim.write({ ledger: intentLedger(current, previous), before: { ...ids, ledger: previous, work: 'undo' } }, signal);
    // Written anew although nothing in it changes but the claim: a write that was claimed before, and only now gets to its record, finds another.
    const kept = { ...ids, generation: current.generation, write: current.write, ledger: previous, changes: record?.changes ?? [] };
    await objects.put({ bucket, key: undoName }, found?.etag ?? null, encodeUndoRecord(kept), OWN_ATTRIBUTES, signal);
    await inParallel(todo, async ({ change, object }) => {
      await claim.prove(signal);
      const at = { bucket, key: change.name };
      if (change.before) await objects.put(at, object?.etag ?? null, change.before.body, change.before.attributes, signal);
      else if (object) await objects.delete(at, object.etag, signal);
    });
    await claim.write({ ledger: restoredLedger(current, previous) }, signal);
    return { generation: current.generation + 1, writes: todo.length };
  }

  async function pending(place: Place, changes: readonly UndoChange[], strangers: 'refuse' | 'leave', signal: AbortSignal) {
    const found = await getAll(
      place,
      changes.map((change) => change.name),
      signal,
    );
    return changes.flatMap((change, index) => {
      const object = found[index] ?? null;
      const standing = standingOf(change, object);
      if (standing === 'strange' && strangers === 'refuse')
        throw new ChangedByOthers(
          'conflict',
          `${where(place)}: ${change.name} was changed by somebody else, so the write cannot be undone; remove it, or put it back`,
        );
      return standing === 'ours' ? [{ change, object }] : [];
    });
  }

  return {
    read: (place, context) => read(place as Place<S3Fields>, context),
    apply: (place, plan, context) => apply(place as Place<S3Fields>, plan, context),
    restore: (place, generation, context) => restore(place as Place<S3Fields>, generation, context),
    close: () => objects.close(),
  };
}

interface Seen<Content> {
  readonly etag: string;
  readonly content: Content;
}

interface Claimed {
  readonly etag: string | null;
  readonly content: LedgerObject;
}

/** An object that a plan is about, with what is there now. */
interface Target {
  readonly change: Change;
  readonly object: StoredObject | null;
  /** Whether an earlier attempt of the same write has done it. */
  readonly isDone: boolean;
}

/** A conflict that looking again does not mend. */
class ChangedByOthers extends SinkError {}

const OWN_ATTRIBUTES = { ContentType: 'application/json' };

function where(place: Place): string {
  return `s3 ${place.name}`;
}

function ledgerAt(place: Place): Address {
  const { bucket, ledger } = placeNames(place.name);
  return { bucket, key: ledger };
}

function moved(place: Place, ledger: Ledger | undefined, undone?: number): SinkError {
  const current = `the ledger is at generation ${ledger?.generation ?? 0}`;
  const what = undone === undefined ? 'it was written since it was read' : `generation ${undone} cannot be undone`;
  return new SinkError('conflict', `${where(place)}: ${what}, ${current}`);
}

function keyOf({ key }: Change): { readonly key?: string } {
  return key === '' ? {} : { key };
}

/** Null for what is not text: it is there, and we cannot compare it. */
function textOf(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
