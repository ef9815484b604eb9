import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ApplyTargetInput, Applied, Prepared, RestoreTargetInput, Restored } from '../../activities/activity-types.ts';
import { describeWith } from '../servers/describe-with.ts';
import { COMMIT, failsForGood, openWorkflowLab, ready, ruleOf, type WorkflowLab } from './workflow-lab.ts';

const SYNCED: Applied = { status: 'Synced', prior: 'p', changes: { puts: 1, deletes: 0, adopted: 0, keys: ['a'] } };

describeWith('temporal', 'an undo whose worker is gone', () => {
  let lab: WorkflowLab;
  beforeAll(async () => {
    lab = await openWorkflowLab();
  });
  afterAll(() => lab.close());

  it('is still owed when a newer request interrupts it, also when no worker answers to that', async () => {
    const undone: RestoreTargetInput[] = [];
    let prepared = 0;
    const { promise: silent, resolve: letGo } = Promise.withResolvers<Restored>();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const prepare = (): Promise<Prepared> =>
      prepared++ === 0 ? ready(ruleOf(2))({} as never) : Promise.resolve({ kind: 'rejected', commit: COMMIT, problems: ['not valid'] });
    const applyTarget = (input: ApplyTargetInput): Promise<Applied> => (input.target.destination === 1 ? failsForGood('no') : Promise.resolve(SYNCED));
    // Without a heartbeat: the first attempt is on a worker that was killed or stopped.
    const restoreTarget = (input: RestoreTargetInput): Promise<Restored> => {
      undone.push(input);
      begin();
      return undone.length === 1 ? silent : Promise.resolve({ status: 'Restored', message: 'back' });
    };
    await lab.withWorker({ prepare, applyTarget, restoreTarget }, async (stream) => {
      await stream.push();
      await begun;
      const { requests } = await stream.result(await stream.push());
      letGo({ status: 'Restored', message: 'late' });
      expect(requests.map(({ outcome }) => outcome.status)).toEqual(['Superseded', 'Rejected']);
      expect(undone.length).toBe(2);
      expect(undone[1]?.writes).toEqual(undone[0]?.writes);
      expect(requests[1]?.outcome.targets).toMatchObject([{ place: 't0', status: 'Restored' }]);
    });
  }, 60_000);
});
