import { randomUUID } from 'node:crypto';
import { intentLedger, type Ledger } from '../../domain/ledger.ts';
import type { WritePlan } from '../../domain/plan.ts';
import { SinkError } from '../errors.ts';
import type { Receipt } from '../sink.ts';
import type { Item, ItemChange } from './cas-store.ts';
import { announcedOf, changesOf, stepOf, targetOf, type Change, type Target } from './changes.ts';
import { createClaim, type Claim } from './claim.ts';
import type { Before, LedgerItem } from './ledger-item.ts';
import { ABSENT, getUndo, ledgerContent, ledgerIn, moved, ownChanges, undoContent, undoIn, where, within, type Seen, type Site } from './site.ts';
import { undoOnce } from './undo-write.ts';
import { bodyDigest, mergeChanges, type UndoChange, type UndoRecord } from './undo-record.ts';
import { writeUnder } from './write-under.ts';

/** One transaction where the system has one that takes it; else claim, undo record, puts, deletes, commit, each step conditional and resumable. */
export async function applyPlan(site: Site, plan: WritePlan): Promise<Receipt> {
  const receipt = { generation: plan.ledger.generation, writes: plan.puts.length + plan.deletes.length };
  const { seen, found, undo } = await lookAround(site, plan);
  const now = seen?.content;
  // There is nothing left to give up: an earlier attempt has done it.
  if (plan.content === 'remove' && !now) return receipt;
  const isOwn = now?.ledger.write === plan.ledger.write && now.ledger.generation === plan.ledger.generation;
  // An earlier attempt, whose answer was lost, has done it; of a removal, all but its end.
  if (isOwn && now.ledger.state === 'committed') {
    if (plan.content === 'remove') await removeOwn(site, await getUndo(site), createClaim(site, seen?.version ?? null));
    return receipt;
  }
  const isResumed = isOwn && now.before?.work === 'write';
  const [baseLedger] = plan.base.version.split(' ');
  if (!isResumed && (seen?.version ?? ABSENT) !== baseLedger) throw moved(site, now?.ledger);

  const isUnfinished = now?.before?.work !== undefined;
  const announced = isUnfinished ? announcedOf(site, plan) : [];
  const targets = targetsOf(site, [...changesOf(site, plan), ...announced], found, isResumed);
  const work: Work = { plan, targets, announced, undo, isUnfinished, before: beforeOf(plan, now), claim: createClaim(site, seen?.version ?? null) };
  if (plan.content === 'keep' && !isUnfinished) await work.claim.write({ ledger: plan.ledger, before: work.before }, stepsOf(targets, 'check'));
  else if (!(await applyAtOnce(site, work))) await applyInSteps(site, work);
  return receipt;
}

interface Work {
  readonly plan: WritePlan;
  readonly targets: readonly Target[];
  readonly announced: readonly Change[];
  /** As it was before the claim. */
  readonly undo: Item | null;
  /** Whether a write that did not end is taken over, or gone on with. */
  readonly isUnfinished: boolean;
  readonly before: Before;
  readonly claim: Claim;
}

function beforeOf(plan: WritePlan, now: LedgerItem | undefined): Before {
  const isUnfinished = now?.before?.work !== undefined;
  return {
    ledger: isUnfinished ? stillOwned(now.before, plan.base.ledger) : (now?.ledger ?? null),
    origin: isUnfinished ? (now.before?.origin ?? '') : randomUUID(),
    claim: randomUUID(),
  };
}

/** Without the keys that an undo wanted back and the plan found to be a stranger's: taking this write back must not make them ours again. */
function stillOwned({ ledger = null, regained = [] }: Partial<Before> = {}, proven: Ledger | null): Ledger | null {
  const lost = new Set(regained.filter((key) => !Object.hasOwn(proven?.keys ?? {}, key)));
  return ledger && { ...ledger, keys: Object.fromEntries(Object.entries(ledger.keys).filter(([key]) => !lost.has(key))) };
}

/**
 * The ledger and all that may be written, in one round trip where the system has it. What is read first does not matter: every write names the version of
 * what it replaces, and the claim that of the ledger.
 */
async function lookAround(site: Site, plan: WritePlan) {
  const { store, place, layout, own, signal } = site;
  // What an unfinished write announced; which one is, is known with the ledger.
  const items = [...changesOf(site, plan), ...announcedOf(site, plan)].map((change) => change.name);
  const names = [layout.ledger, layout.undo, ...items];
  const got = await store.get(place, names, Math.max(own.maxBytes, layout.maxBytes), signal);
  const found = new Map(names.map((name, index) => [name, got[index] ?? null]));
  return { seen: ledgerIn(site, found.get(layout.ledger) ?? null), found, undo: found.get(layout.undo) ?? null };
}

async function lookAt(site: Site, changes: readonly Change[]): Promise<ReadonlyMap<string, Item | null>> {
  const names = changes.map((change) => change.name);
  const found = names.length === 0 ? [] : await site.store.get(site.place, names, site.layout.maxBytes, site.signal);
  return new Map(names.map((name, index) => [name, found[index] ?? null]));
}

/** The items of the changes, each still as the plan saw it, or as an earlier attempt of the same write left it. */
function targetsOf(site: Site, changes: readonly Change[], found: ReadonlyMap<string, Item | null>, isResumed: boolean): readonly Target[] {
  return changes.map((change) => {
    const live = within(site, change.name, found.get(change.name) ?? null, site.layout.maxBytes);
    const target = targetOf(change, live, isResumed);
    if (!target.isDone && !change.stands(live)) {
      const { key } = change;
      throw new SinkError('conflict', `${where(site)}: ${key === '' ? `the ${site.item}` : key} changed since it was read`, key === '' ? {} : { key });
    }
    return target;
  });
}

async function applyAtOnce(site: Site, { plan, targets, before, claim, undo: undoItem }: Work): Promise<boolean> {
  const { store, place, layout, signal } = site;
  if (!store.transaction) return false;
  const undo = undoIn(site, undoItem);
  const ledger = { name: layout.ledger, expected: claim.version() };
  const ours: readonly ItemChange[] =
    plan.content === 'remove'
      ? [
          ...(ledger.expected === null ? [] : [{ action: 'delete', name: ledger.name, expected: ledger.expected } as const]),
          ...(undo ? [{ action: 'delete', name: layout.undo, expected: undo.version } as const] : []),
        ]
      : [
          { action: 'put', ...ledger, ...ledgerContent(site, { ledger: plan.ledger }) },
          { action: 'put', name: layout.undo, expected: undo?.version ?? null, ...undoContent(site, recordOf(site, plan, before, targets, undo)) },
        ];
  const changes = [...ours, ...stepsOf(targets, 'put'), ...stepsOf(targets, 'delete'), ...stepsOf(targets, 'check')];
  if (!store.transaction.fits(changes)) return false;
  await store.transaction.commit(place, changes, signal);
  return true;
}

async function applyInSteps(site: Site, work: Work): Promise<void> {
  const { plan, targets, before, claim } = work;
  // What is too large is told before there is a claim to take back.
  undoContent(site, recordOf(site, plan, before, targets, null));
  ledgerContent(site, { ledger: plan.ledger });
  const claimed = { ledger: intentLedger(plan.ledger, plan.base.ledger), before: { ...before, work: 'write' } } satisfies LedgerItem;
  await claim.write(claimed);
  const held = { version: claim.version(), content: claimed };
  try {
    await carryOut(site, work);
  } catch (error) {
    // Somebody else was faster with a key. Leaving the claim would make that key ours, so all goes back, but for what is theirs. Where it was the
    // claim that was lost, this fails at its first step.
    if (error instanceof SinkError && error.reason === 'conflict') await undoOnce(site, held, 'leave').catch(() => undefined);
    throw error;
  }
}

async function carryOut(site: Site, { plan, targets, announced, undo: undoItem, isUnfinished, before, claim }: Work): Promise<void> {
  const { store, place, layout, signal } = site;
  // A write that did not end may have come to its record since the first look, until the claim stopped it; where there is none, nobody writes it.
  const former = isUnfinished ? await getUndo(site) : undoIn(site, undoItem);
  const record = undoContent(site, recordOf(site, plan, before, targets, former));
  const put = { action: 'put', name: layout.undo, expected: former?.version ?? null, ...record } satisfies ItemChange;
  const [undo = null] = store.transaction?.fits([claim.check(), put])
    ? (await store.transaction.commit(place, [claim.check(), put], signal)).slice(1)
    : await store.write(place, [put], signal);
  // The write that was taken over can begin nothing any more; what it did since the first look is to be planned for.
  targetsOf(site, announced, await lookAt(site, announced), false);
  // Values first and deletes last, so that a reader of renamed keys never finds neither.
  const [puts, deletes] = [stepsOf(targets, 'put'), stepsOf(targets, 'delete')];
  for (const steps of store.transaction ? [[...puts, ...deletes]] : [puts, deletes]) await writeUnder(claim, site, steps);
  await store.settle?.(place, signal);
  if (plan.content !== 'remove') return await claim.write({ ledger: plan.ledger }, stepsOf(targets, 'check'));
  // Without its record the removal would be taken for a write that had changed nothing yet, and an undo would bring back a ledger of keys that are gone.
  if (!store.transaction?.fits(endOf(site, undo, claim))) await claim.write({ ledger: plan.ledger });
  await removeOwn(site, undo === null ? null : { version: undo }, claim);
}

/** The ledger last: while it is there, the removal is known to be unfinished. */
async function removeOwn(site: Site, undo: Pick<Seen<UndoRecord>, 'version'> | null, claim: Claim): Promise<void> {
  const { store, place, signal } = site;
  const last = endOf(site, undo?.version ?? null, claim);
  if (store.transaction?.fits(last)) await store.transaction.commit(place, last, signal);
  else for (const step of last) await store.write(place, [step], signal);
}

function endOf({ layout }: Site, undo: string | null, claim: Claim): readonly ItemChange[] {
  return [[layout.undo, undo] as const, [layout.ledger, claim.version()] as const].flatMap(([name, expected]): readonly ItemChange[] =>
    expected === null ? [] : [{ action: 'delete', name, expected }],
  );
}

function recordOf(site: Site, plan: WritePlan, before: Before, targets: readonly Target[], former: Seen<UndoRecord> | null): UndoRecord {
  const unfinished = former?.content.origin === before.origin ? ownChanges(site, former.content, before.ledger) : [];
  const changes = targets
    .filter(({ change, isDone }) => change.action !== 'check' && !isDone)
    .map(({ change, live, content }): UndoChange => {
      return { name: change.name, before: live && { body: live.body, attributes: live.attributes }, wrote: [bodyDigest(content && content.body)] };
    });
  const { generation, write } = plan.ledger;
  const { origin, claim, ledger } = before;
  return { origin, claim, generation, write, ledger, changes: mergeChanges(unfinished, changes) };
}

function stepsOf(targets: readonly Target[], action: 'put' | 'delete' | 'check'): readonly ItemChange[] {
  return targets.filter(({ change }) => change.action === action).flatMap(stepOf);
}
