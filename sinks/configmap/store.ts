import { decideRestore, restoredLedger } from '../../domain/ledger.ts';
import type { LiveState, WritePlan } from '../../domain/plan.ts';
import type { ConfigmapFields } from '../configmap.ts';
import { SinkError } from '../errors.ts';
import { watchPlaces } from '../kubernetes/watch-places.ts';
import type { Place, Receipt, Sink, SinkContext } from '../sink.ts';
import type { ConfigMaps } from './config-maps.ts';
import { changedContent, changesOf, digestOf, documentIn, entriesOf, standsAsPlanned, type Change, type Stored } from './content.ts';
import { labelOf, ledgerDigest, look, undoRecordOf, type Seen } from './look.ts';
import { placeNames, type PlaceNames } from './place-names.ts';
import { createRollout, ownedDigest } from './rollout.ts';
import { createWriter } from './writer.ts';

const MAX_ROUNDS = 12;

/** ConfigMaps, each written by one patch that names the resourceVersion that was read. The order of the steps is told in docs/sinks/configmap.md. */
export function createStore(maps: ConfigMaps, maxAnnotationBytes?: number): Sink {
  const writer = createWriter(maps, maxAnnotationBytes);

  async function read(place: Place<ConfigmapFields>, { keys, signal }: SinkContext): Promise<LiveState> {
    const names = placeNames(place.name, place.layout);
    const { content, ledger, ledgerText } = await look(maps, names, signal);
    const base = { ledger, version: ledgerDigest(ledgerText) };
    if (names.file === null) {
      const entries = entriesOf(content, [...keys, ...Object.keys(ledger?.keys ?? {})]);
      return { ...base, exists: content.size > 0, entries };
    }
    const stored = content.get(names.file);
    const whole = { ...base, exists: stored !== undefined, version: `${base.version} ${digestOf(stored)}` };
    const document = stored ? documentIn(place, stored) : { leaves: new Map<string, never>() };
    if ('corrupt' in document) return { ...whole, entries: new Map(), corrupt: document.corrupt };
    return { ...whole, entries: new Map([...document.leaves].map(([key, leaf]) => [key, leaf.text])) };
  }

  async function apply(place: Place<ConfigmapFields>, plan: WritePlan, { signal }: SinkContext): Promise<Receipt> {
    const names = placeNames(place.name, place.layout);
    const receipt = { generation: plan.ledger.generation, writes: plan.puts.length + plan.deletes.length };
    const rolls = plan.content === 'write' && place.fields.rollout.length > 0;
    const rollout = rolloutOf(place, names);
    if (rolls) await rollout.check(signal);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const seen = await look(maps, names, signal);
      const { ledger } = seen;
      // There is nothing left to give up: an earlier attempt has done it.
      if (plan.content === 'remove' && !ledger) return receipt;
      if (ledger?.write === plan.ledger.write && ledger.generation === plan.ledger.generation) {
        // This attempt, or an earlier one whose answer was lost, has done it.
        if (ledger.state === 'committed') return receipt;
        await rollout.run(ownedDigest(ledger, names.file, seen.content), signal);
        if (await wins(() => writer.commit(names, seen, plan.ledger, signal))) return receipt;
        continue;
      }
      const changes = standing(place, names, plan, seen);
      const written = () => (plan.content === 'remove' ? writer.giveUp(names, seen, changes, signal) : writer.write(names, seen, plan, changes, rolls, signal));
      if ((await wins(written)) && !rolls) return receipt;
    }
    throw new SinkError('conflict', `${labelOf(names)}: others wrote it during each of ${MAX_ROUNDS} attempts`);
  }

  /** What the plan changes, each still as the plan saw it. */
  function standing(place: Place<ConfigmapFields>, names: PlaceNames, plan: WritePlan, seen: Seen): readonly Change[] {
    const [base] = plan.base.version.split(' ');
    if (ledgerDigest(seen.ledgerText) !== base)
      throw new SinkError('conflict', `${labelOf(names)}: it was written since it was read, the ledger is at generation ${seen.ledger?.generation ?? 0}`);
    const changes = changesOf(place, names.file, plan, seen.content);
    const moved = changes.find((change) => !standsAsPlanned(change, seen.content.get(change.key)));
    if (moved) throw new SinkError('conflict', `${labelOf(names)}: ${moved.key} changed since it was read`, names.file === null ? { key: moved.key } : {});
    if (seen.main?.metadata.deletionTimestamp !== undefined)
      throw new SinkError('unavailable', `${labelOf(names)}: it is being deleted, and waits for its finalizers`);
    return changes;
  }

  async function restore(place: Place<ConfigmapFields>, generation: number, { signal }: SinkContext): Promise<Receipt> {
    const names = placeNames(place.name, place.layout);
    const rollout = rolloutOf(place, names);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const seen = await look(maps, names, signal);
      const decision = decideRestore(seen.ledger, generation);
      if (!seen.ledger || decision === 'nothing-to-undo') {
        // An earlier attempt may have ended before this.
        if (seen.ledger && seen.ledger.generation > generation) await rollout.run(ownedDigest(seen.ledger, names.file, seen.content), signal);
        return { generation: seen.ledger?.generation ?? 0, writes: 0 };
      }
      if (decision === 'conflict')
        throw new SinkError('conflict', `${labelOf(names)}: generation ${generation} cannot be undone, generation ${seen.ledger.generation} was written since`);
      const side = seen.home === 'side' ? seen.side : await maps.get(names.side, signal);
      const record = await undoRecordOf(names, seen, side);
      if (!record) {
        // Whoever undid it at the same time took the record away.
        if ((await look(maps, names, signal)).ledgerText !== seen.ledgerText) continue;
        throw new SinkError('rejected', `${labelOf(names)}: the undo record is gone, so generation ${generation} cannot be undone`);
      }
      const next = new Map<string, Stored | null>();
      for (const { key, before, wrote } of record.changes) {
        const live = digestOf(seen.content.get(key));
        if (live === digestOf(before)) continue;
        if (live !== wrote) throw new SinkError('conflict', `${labelOf(names)}: ${key} was changed since; it stays`, names.file === null ? { key } : {});
        next.set(key, before);
      }
      const restored = restoredLedger(seen.ledger, record.ledger);
      if (!(await wins(() => writer.putBack(names, seen, side, record.made, next, restored, signal)))) continue;
      await rollout.run(ownedDigest(restored, names.file, changedContent(seen.content, next)), signal);
      return { generation: restored.generation, writes: next.size };
    }
    throw new SinkError('conflict', `${labelOf(names)}: others wrote it during each of ${MAX_ROUNDS} attempts to undo a write`);
  }

  function rolloutOf(place: Place<ConfigmapFields>, names: PlaceNames) {
    return createRollout(maps, names.main.namespace, place.fields.rollout, names.digest);
  }

  /** The one beside may hold the ledger. */
  function at({ name, layout }: Place) {
    const { main, side } = placeNames(name, layout);
    return { namespace: main.namespace, names: [main.name, side.name] };
  }

  return {
    read,
    apply,
    restore,
    watch: (places, onChange, signal) => watchPlaces({ places, at, nameOf: ({ name }) => name, watchNamespace: maps.watch }, onChange, signal),
    close: () => maps.close(),
  };
}

/** False if somebody else was faster; everything is then looked at again. */
async function wins(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof SinkError && error.reason === 'conflict') return false;
    throw error;
  }
}
