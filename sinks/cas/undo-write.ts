import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { decideRestore, intentLedger, restoredLedger } from '../../domain/ledger.ts';
import { SinkError } from '../errors.ts';
import type { Receipt } from '../sink.ts';
import type { Item, ItemChange } from './cas-store.ts';
import { createClaim } from './claim.ts';
import type { LedgerItem } from './ledger-item.ts';
import { getLedger, getUndo, ledgerContent, moved, ownChanges, ownedOnlyBy, undoContent, where, type Site } from './site.ts';
import { standingOf, type UndoChange } from './undo-record.ts';
import { writeUnder } from './write-under.ts';

const MAX_ROUNDS = 12;

/** What to do with an item that somebody else changed after the write. */
type Strangers = 'refuse' | 'leave';

export interface Held {
  readonly version: string | null;
  readonly content: LedgerItem;
}

/** Several may undo one write at the same time; each that loses looks again until it is done, by whomever. */
export async function undoWrite(site: Site, generation: number): Promise<Receipt> {
  const { store, place, layout, signal } = site;
  for (let round = 1; ; round++) {
    const seen = await getLedger(site);
    const decision = decideRestore(seen?.content.ledger ?? null, generation);
    if (!seen || decision === 'nothing-to-undo') return { generation: seen?.content.ledger.generation ?? 0, writes: 0 };
    if (decision === 'conflict') throw moved(site, seen.content.ledger, generation);
    // Whoever is at it already is given the time to end.
    if (round > 1) await delay(Math.random() * 100 * round, undefined, { signal }).catch(() => undefined);
    if (round > 1 && (await store.version(place, layout.ledger, signal)) !== seen.version) continue;
    try {
      return await undoOnce(site, seen, 'refuse');
    } catch (error) {
      if (!(error instanceof SinkError && error.reason === 'conflict') || error instanceof Lasting || round === MAX_ROUNDS) throw error;
    }
  }
}

/** Throws `conflict` if somebody else wrote the ledger meanwhile. */
export async function undoOnce(site: Site, seen: Held, strangers: Strangers): Promise<Receipt> {
  const { store, place, layout, signal } = site;
  const { ledger: current, before } = seen.content;
  const claim = createClaim(site, seen.version);
  const generation = current.generation + 1;
  if (before && before.work === undefined) {
    // A write of the ledger alone.
    await claim.write({ ledger: restoredLedger(current, before.ledger) });
    return { generation, writes: 0 };
  }
  const found = await getUndo(site);
  const isMatching = before
    ? found?.content.origin === before.origin
    : found?.content.generation === current.generation && found.content.write === current.write;
  const record = isMatching ? found?.content : undefined;
  if (!record && !before && Object.keys(current.keys).length === 0)
    throw new Lasting('conflict', `${where(site)}: it was given up at generation ${current.generation}, and what an undo needs is gone already`);
  // A claim without a record has changed nothing yet.
  if (!record && !before)
    throw new SinkError('rejected', `${where(site)}: the undo record at ${layout.undo} is gone, so generation ${current.generation} cannot be undone`);
  const previous = before ? before.ledger : (record?.ledger ?? null);
  const changes = record ? ownChanges(site, record, previous) : [];
  const look = await stepsBack(site, changes, strangers);
  const steps = look.filter(isWrite);
  const restored = restoredLedger(current, previous);
  const receipt = { generation, writes: steps.length };
  // Written anew although nothing in it changes but the claim: a write that was claimed before, and only now gets to its record, finds another.
  const ids = { origin: before?.origin ?? record?.origin ?? '', claim: randomUUID() };
  const kept = { ...ids, generation: current.generation, write: current.write, ledger: previous, changes };
  const undo = { action: 'put', name: layout.undo, expected: found?.version ?? null } as const;
  if (store.transaction) {
    const ledger = { action: 'put', name: layout.ledger, expected: claim.version(), ...ledgerContent(site, { ledger: restored }) } as const;
    // A write that did not end may be about to change what is as it was, if it is not as dead as it seems.
    const whole: readonly ItemChange[] = [ledger, { ...undo, ...undoContent(site, { ...kept, changes: [] }) }, ...(before ? look : steps)];
    if (store.transaction.fits(whole)) {
      await store.transaction.commit(place, whole, signal);
      return receipt;
    }
  }
  const regained = [...new Set([...(before?.regained ?? []), ...ownedOnlyBy(site, previous, current)])];
  const begun = { ...ids, ledger: previous, work: 'undo', ...(regained.length > 0 && { regained }) } as const;
  await claim.write({ ledger: intentLedger(current, previous), before: begun });
  const renewed: readonly ItemChange[] = [claim.check(), { ...undo, ...undoContent(site, kept) }];
  if (store.transaction?.fits(renewed)) await store.transaction.commit(place, renewed, signal);
  else await store.write(place, renewed.slice(1), signal);
  // It can begin nothing any more; what it did since the first look goes back as well.
  const all = before ? (await stepsBack(site, changes, strangers)).filter(isWrite) : steps;
  await writeUnder(claim, site, all);
  await claim.write({ ledger: restored });
  return { ...receipt, writes: all.length };
}

/** The writes that put the items back, and checks of those that are as they were. */
async function stepsBack(site: Site, changes: readonly UndoChange[], strangers: Strangers): Promise<readonly ItemChange[]> {
  const names = changes.map((change) => change.name);
  const found = names.length === 0 ? [] : await site.store.get(site.place, names, site.layout.maxBytes, site.signal);
  return changes.flatMap((change, index) => {
    const live = found[index] ?? null;
    const standing = standingOf(change, live);
    if (standing === 'strange' && strangers === 'refuse')
      throw new Lasting('conflict', `${where(site)}: ${change.name} was changed by somebody else, so the write cannot be undone; remove it, or put it back`);
    if (standing === 'as-before') return [{ action: 'check', name: change.name, expected: live?.version ?? null }];
    return standing === 'ours' ? stepBack(change, live) : [];
  });
}

function stepBack({ name, before }: UndoChange, live: Item | null): readonly ItemChange[] {
  if (before) return [{ action: 'put', name, expected: live?.version ?? null, body: before.body, attributes: before.attributes }];
  return live ? [{ action: 'delete', name, expected: live.version }] : [];
}

function isWrite({ action }: ItemChange): boolean {
  return action !== 'check';
}

/** A conflict that looking again does not mend. */
class Lasting extends SinkError {}
