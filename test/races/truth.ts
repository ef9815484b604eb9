import { expect } from 'vitest';
import { undoOf } from '../../domain/ledger.ts';
import type { WriteRecord } from './controlled-sinks.ts';
import type { World } from './world.ts';

/** What the runs said is compared with what the sinks were seen to do. Places that a stranger wrote to are left out where that may be the reason. */
export async function expectTruthOf(world: World, disturbed: ReadonlySet<string>): Promise<void> {
  const { records } = world.control;
  for (const request of world.requests) {
    const { commit, status, targets } = await world.outcomeOf(request);
    for (const target of targets) {
      const said = `${request.id}: ${status}, ${target.place} ${target.status} at ${commit ?? ''}`;
      const ofRun = records.filter((record) => record.place === target.place && writeOf(record)?.startsWith(`${request.runId}/`));
      if (target.status === 'Synced')
        expect(
          standing(ofRun).map((record) => record.commit),
          said,
        ).toContain(commit);
      // A heal puts back what was there before; it never brings a commit to a target.
      if (target.status === 'Synced' && request.heals !== undefined) {
        expect(commit, said).toBe(request.heals);
        expect(
          standing(ofRun).map(({ plan }) => plan?.base.ledger?.commit),
          said,
        ).toContain(commit);
      }
      if (target.status === 'Restored')
        expect(
          ofRun.map(({ op }) => op),
          said,
        ).toContain('restore');
    }
  }
  for (const [index, record] of records.entries()) {
    if (record.op === 'restore' && !disturbed.has(record.place)) expectPutBack(record, records.slice(0, index));
  }
}

function writeOf({ op, write, ledger }: WriteRecord): string | undefined {
  return op === 'apply' ? write : ledger?.write.replace(/^undo:/, '');
}

/** Writes that were not undone. */
function standing(records: readonly WriteRecord[]): readonly WriteRecord[] {
  return records.filter(({ op, write }, index) => {
    if (op !== 'apply' || write?.startsWith('undo:')) return false;
    return !records.slice(index + 1).some((later) => later.op === 'restore' && later.ledger?.write === undoOf(write ?? ''));
  });
}

function expectPutBack({ place, ledger, after }: WriteRecord, earlier: readonly WriteRecord[]): void {
  const undone = earlier.findLast((record) => record.op === 'apply' && record.place === place && undoOf(record.write ?? '') === ledger?.write);
  const plan = undone?.plan;
  if (!plan || plan.content !== 'write') return;
  const changes = [...plan.puts.map(({ entry, before }) => [entry.key, before] as const), ...plan.deletes.map(({ key, before }) => [key, before] as const)];
  const found = changes.map(([key]) => [key, after?.get(key) ?? null]);
  expect(found, `${place} after ${ledger?.write ?? ''}`).toEqual(changes.map(([key, before]) => [key, before ?? null]));
}
