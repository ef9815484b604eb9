import { decideRestore, undoOf } from '../../domain/ledger.ts';
import { removesPlace, type LiveState, type WritePlan } from '../../domain/plan.ts';
import { SinkError } from '../errors.ts';
import { writeDocument } from '../leaf-document.ts';
import { watchPlaces } from '../kubernetes/watch-places.ts';
import type { Place, Receipt, Sink, SinkContext } from '../sink.ts';
import { identityOf } from './charts.ts';
import { hookArgs, upgradeArgs, waitArgs } from './helm-args.ts';
import { withStatus } from './records.ts';
import { leavesOf, UNDONE, viewOf, type ReleaseView } from './release-view.ts';
import { releaseName } from './release-name.ts';
import type { HelmPlace, Releases } from './releases.ts';
import { encodeStored, headOf, LEDGER_LABEL, type StoredLedger, type UndoRecord } from './stored-ledger.ts';
import { createTurns } from './turns.ts';
import { afterUndo, changesOf, isFailedUndo, isRollback, isUndoUnderWay, unfinished } from './undo-steps.ts';

export interface StoreLimits {
  readonly historyMax: number;
  readonly processes: number;
}

// An undo that meets another one looks again; more than this many is somebody else who never stops.
const MAX_ATTEMPTS = 6;
// One that is forgotten is taken over a little later.
const MAX_ENDED = 10_000;
/** Clocks differ, and Helm needs a moment to end. */
const PENDING_MARGIN_MS = 30_000;
/** Whoever is at work mostly ends long before they would be taken for lost. */
const LOOK_AGAIN_MS = 10_000;

/** Releases of Helm. The ledger is in the labels of the revision that it was written with, so that both are there or neither. */
export function createStore(releases: Releases, { historyMax, processes }: StoreLimits): Sink {
  const inTurn = createTurns(processes);
  /** Writes whose Helm was ended by us: what they left half-way is nobody's any more. */
  const ended = new Set<string>();

  async function look(place: HelmPlace, context: SinkContext): Promise<ReleaseView> {
    return viewOf(await releases.list(place, context), await identityOf(place.fields.chart), context.fingerprint, place.name);
  }

  async function read(place: HelmPlace, context: SinkContext): Promise<LiveState> {
    const { exists, content, ledger, version } = await look(place, context);
    return {
      exists,
      entries: new Map([...leavesOf(content)].map(([key, leaf]) => [key, leaf.text])),
      ledger,
      version,
      ...(content && 'corrupt' in content ? { corrupt: content.corrupt } : {}),
    };
  }

  async function apply(place: HelmPlace, plan: WritePlan, context: SinkContext): Promise<Receipt> {
    let view = await look(place, context);
    const receipt = { generation: plan.ledger.generation, writes: plan.puts.length + plan.deletes.length };
    if (plan.content === 'remove' && !view.newest) return receipt;
    if (view.ledger?.write === plan.ledger.write && view.ledger.generation === plan.ledger.generation && view.ledger.state === 'committed') return receipt;
    if (view.version !== plan.base.version) throw moved(place);
    view = await settled(place, view, context);
    const { newest } = view;
    if (plan.content === 'remove') {
      if (!removesPlace(plan) && view.exists) await forget(place, context);
      else await helm(place, plan.ledger.write, context, { verb: 'uninstall', args: hookArgs(place), next: null, newest });
      return receipt;
    }
    const before = view.stored && { head: view.stored.head, revision: view.stored.revision };
    if (plan.content === 'keep') {
      if (!newest) throw moved(place);
      const undo = { revision: newest.revision, before };
      await releases.patch(place, newest, { labels: encodeStored({ head: headOf(plan.ledger), revision: newest.revision, undo }) }, context);
      return receipt;
    }
    const kept = plan.kept.flatMap((key) => leavesOf(view.content).get(key) ?? []);
    if (kept.length !== plan.kept.length) throw moved(place);
    const next = (newest?.revision ?? 0) + 1;
    const undo = unfinished(view)?.undo ?? { revision: newest && view.exists ? newest.revision : 0, before };
    const labels = encodeStored({ head: { ...headOf(plan.ledger), owns: 'all' }, revision: next, undo });
    await helm(place, plan.ledger.write, context, {
      verb: 'upgrade',
      args: upgradeArgs(place, plan.ledger, labels, historyMax),
      input: writeDocument(plan.entries, kept, 'json').toString('utf8'),
      keys: plan.entries.map((entry) => entry.key),
      next,
      newest,
    });
    return receipt;
  }

  /** Takes the ledger off a release that is somebody else's again; off the newest revision last, since those before count once it has none. */
  async function forget(place: HelmPlace, context: SinkContext): Promise<void> {
    for (const record of await releases.list(place, context)) {
      const own = Object.keys(record.labels).filter((name) => name.startsWith(LEDGER_LABEL));
      if (own.length > 0) await releases.patch(place, record, { labels: Object.fromEntries(own.map((name) => [name, null])) }, context);
    }
  }

  async function restore(place: HelmPlace, generation: number, context: SinkContext): Promise<Receipt> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      let view = await look(place, context);
      const { ledger, stored } = view;
      const decision = decideRestore(ledger, generation);
      if (decision === 'nothing-to-undo' || !ledger || !stored) return { generation: ledger?.generation ?? 0, writes: 0 };
      if (decision === 'conflict' || !stored.undo) throw moved(place);
      view = await settled(place, view, context);
      try {
        const done = await stepBack(place, view, stored, stored.undo, context);
        if (done) return done;
      } catch (error) {
        // Somebody else may have undone it in between: then this is done too.
        if (!(error instanceof SinkError && error.reason === 'conflict') || attempt === MAX_ATTEMPTS - 1) throw error;
        if ((await look(place, context)).version === view.version) throw error;
      }
    }
    throw new SinkError('unavailable', `${place.name}: the undo did not come to its end, ${MAX_ATTEMPTS} times`);
  }

  /** One step of an undo: null where there is another one to take, which a look at the release tells. */
  async function stepBack(place: HelmPlace, view: ReleaseView, stored: StoredLedger, record: UndoRecord, context: SinkContext): Promise<Receipt | null> {
    const { newest, home } = view;
    if (!newest) throw moved(place);
    const onlyLedger = record.revision === stored.revision;
    const isBack = record.revision === 0 ? newest.status === UNDONE : isRollback(newest, stored, record);
    if (isBack || (onlyLedger && newest === home)) {
      const restored = afterUndo(stored, record);
      await releases.patch(place, newest, { labels: encodeStored(restored) }, context);
      return { generation: restored.head.generation, writes: onlyLedger ? 0 : changesOf(view, record) };
    }
    if (newest !== home && !isFailedUndo(newest, stored)) {
      throw new SinkError('conflict', `${place.name}: the release was changed since varTrack wrote it; \`helm history\` has what was there before`);
    }
    const to = String(record.revision);
    await helm(place, undoOf(stored.head.write), context, {
      ...(record.revision === 0
        ? {
            verb: 'uninstall',
            args: ['--keep-history', '--description', `varTrack: undid generation ${stored.head.generation}`, ...hookArgs(place)],
            next: null,
          }
        : // However often it is tried, what it goes back to must not be cleared away.
          { verb: 'rollback', args: [to, '--history-max', '0', ...waitArgs(place), ...hookArgs(place)], next: newest.revision + 1 }),
      newest,
    });
    return null;
  }

  async function helm(place: HelmPlace, write: string, context: SinkContext, request: Parameters<Releases['helm']>[1]): Promise<void> {
    ended.delete(write);
    try {
      await releases.helm(place, request, context);
    } catch (error) {
      if (ended.size >= MAX_ENDED) ended.clear();
      ended.add(write);
      throw error;
    }
  }

  /** A release that Helm is not at work on. One whose Helm was killed is marked as failed, if it was ours and is known to be over. */
  async function settled(place: HelmPlace, view: ReleaseView, context: SinkContext): Promise<ReleaseView> {
    const { newest, stored } = view;
    if (!newest || !/^(pending-|uninstalling)/.test(newest.status)) return view;
    if (!stored || (newest !== view.home && !isUndoUnderWay(newest, stored))) {
      const advice = 'if nobody is, see `helm status` and end it by hand (helm rollback, or helm uninstall)';
      const message = `${place.name}: it is ${newest.status}, so somebody else's Helm is at work on it; ${advice}`;
      throw new SinkError('unavailable', message, { retryAfterMs: LOOK_AGAIN_MS });
    }
    const isOver = ended.has(stored.head.write) || ended.has(undoOf(stored.head.write));
    const leftMs = newest.content().at + place.fields.timeout + PENDING_MARGIN_MS - Date.now();
    if (!isOver && leftMs > 0) {
      const wait = `it is taken for lost in ${Math.ceil(leftMs / 1_000)} s`;
      const message = `${place.name}: it is ${newest.status} by a write of varTrack that goes on elsewhere or was killed; ${wait}`;
      throw new SinkError('unavailable', message, { retryAfterMs: Math.min(leftMs, LOOK_AGAIN_MS) });
    }
    await releases.patch(place, newest, { labels: { status: 'failed' }, release: withStatus(newest, 'failed', place.name) }, context);
    return look(place, context);
  }

  return {
    read: (place, context) => read(place as HelmPlace, context),
    apply: (place, plan, context) => inTurn(place.name, context.signal, () => apply(place as HelmPlace, plan, context)),
    restore: (place, generation, context) => inTurn(place.name, context.signal, () => restore(place as HelmPlace, generation, context)),
    watch: (places, onChange, signal) => watchPlaces({ places, at, nameOf: ({ labels }) => labels['name'], watchNamespace: releases.watch }, onChange, signal),
    close: () => releases.close(),
  };
}

function at({ name }: Place) {
  const { namespace, release } = releaseName(name);
  return { namespace, names: [release] };
}

function moved(place: Place): SinkError {
  return new SinkError('conflict', `${place.name}: the release or its ledger changed since it was read`);
}
