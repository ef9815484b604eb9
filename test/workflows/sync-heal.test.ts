import type { WorkflowExecutionDescription } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { Activities, ApplyTargetInput, Applied, PrepareInput, Prepared, ReportInput } from '../../activities/activity-types.ts';
import type { SyncRequest } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';
import { COMMIT, openWorkflowLab, ruleOf, type WorkflowLab } from './workflow-lab.ts';

const SYNCED: Applied = { status: 'Synced', prior: 'p', changes: { puts: 1, deletes: 0, adopted: 0, keys: ['a'] } };
const HEAD = 'b'.repeat(40);
const HEAL = { trigger: 'heal', only: ['settings/production/0'], commit: COMMIT } as const satisfies Partial<SyncRequest>;

type Answer = (request: SyncRequest) => Prepared;

interface Run {
  /** Ids of requests, in the order in which they were prepared. */
  readonly prepared: readonly string[];
  readonly reports: readonly ReportInput[];
  readonly ends: readonly string[];
  readonly failure: unknown;
  readonly searchAttributes: WorkflowExecutionDescription['searchAttributes'];
}

describeWith('temporal', 'SyncWorkflow, of heals:', () => {
  let lab: WorkflowLab;
  beforeAll(async () => {
    lab = await openWorkflowLab();
  });
  afterAll(() => lab.close());

  /** Lets requests gather behind a run whose first preparation waits, and gives what became of them. */
  async function gathered(
    first: Partial<SyncRequest>,
    others: readonly Partial<SyncRequest>[],
    activities: Partial<Activities>,
    act: (run: Run) => void,
    answer: Answer = ({ only, commit }) => ({ kind: 'ready', commit: (only && commit) ?? HEAD, rules: [ruleOf(1)] }),
  ): Promise<void> {
    const prepared: string[] = [];
    const reports: ReportInput[] = [];
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const prepare = async ({ request }: PrepareInput): Promise<Prepared> => {
      prepared.push(request.id);
      if (prepared.length === 1) await gate;
      return answer(request);
    };
    const report = (input: ReportInput) => {
      reports.push(input);
      return Promise.resolve();
    };
    await lab.withWorker({ prepare, report, applyTarget: () => Promise.resolve(SYNCED), ...activities }, async (stream) => {
      const handle = await stream.push(first);
      await vi.waitFor(() => expect(prepared).toHaveLength(1), { timeout: 10_000 });
      for (const other of others) await stream.push(other);
      open();
      const { requests } = await stream.result(handle);
      const { searchAttributes } = await handle.describe();
      const failure: unknown = await handle.result().then(
        () => null,
        (error: unknown) => error,
      );
      act({ failure, prepared, reports, ends: requests.map(({ id, outcome }) => `${id} ${outcome.status}`), searchAttributes });
    });
  }

  it('works heals one by one, each at its own commit, and a run of nothing else says so', async () => {
    const other = { ...HEAL, only: ['settings/production/1'], commit: 'c'.repeat(40) };
    const writes: ApplyTargetInput[] = [];
    const applyTarget = (input: ApplyTargetInput): Promise<Applied> => {
      writes.push(input);
      return Promise.resolve(SYNCED);
    };
    await gathered(
      { id: 'h1', ...HEAL },
      [
        { id: 'h2', ...other },
        { id: 'h2', ...other },
        { id: 'h3', ...HEAL },
      ],
      { applyTarget },
      (run) => {
        expect(run.ends).toEqual(['h1 Synced', 'h2 Synced', 'h3 Synced']);
        expect(writes.map(({ commit }) => commit)).toEqual([COMMIT, 'c'.repeat(40), COMMIT]);
        expect(run.reports.map(({ request }) => request.id)).toEqual(['h1', 'h2', 'h3']);
        expect(run.searchAttributes).toMatchObject({ Trigger: ['heal'], SyncStatus: ['Synced'], Commit: [COMMIT] });
      },
    );
  });

  it('lets a push win over the heals that wait with it, wherever they came', async () => {
    await gathered({ id: 'first' }, [{ id: 'h1', ...HEAL }, { id: 'push' }, { id: 'h2', ...HEAL }], {}, (run) => {
      expect(run.prepared).toEqual(['first', 'push']);
      expect(run.ends).toEqual(['first Synced', 'h1 Superseded', 'h2 Superseded', 'push Synced']);
      expect(run.searchAttributes).toMatchObject({ Trigger: ['push'], Commit: [HEAD] });
    });
  });

  it('gives up a heal for a push that comes while it is prepared, and writes nothing of it', async () => {
    const commits: string[] = [];
    const applyTarget = ({ commit }: ApplyTargetInput): Promise<Applied> => {
      commits.push(commit);
      return Promise.resolve(SYNCED);
    };
    await gathered({ id: 'h1', ...HEAL }, [{ id: 'push' }], { applyTarget }, (run) => {
      expect(run.ends).toEqual(['h1 Superseded', 'push Synced']);
      expect(commits).toEqual([HEAD]);
      expect(run.searchAttributes).toMatchObject({ Trigger: ['push'], SyncStatus: ['Synced'], Commit: [HEAD] });
    });
  });

  it('does not interrupt the retries of a push for a heal', async () => {
    let tries = 0;
    const applyTarget = (): Promise<Applied> => {
      tries++;
      if (tries > 2) return Promise.resolve(SYNCED);
      throw ApplicationFailure.create({ message: 'not reachable', type: 'sink unavailable', details: [{ wrote: 'no' }] });
    };
    await gathered({ id: 'push' }, [{ id: 'h1', ...HEAL }], { applyTarget }, (run) => {
      expect(run.ends).toEqual(['push Synced', 'h1 Synced']);
      expect(tries).toBe(4);
      expect(run.searchAttributes).toMatchObject({ Trigger: ['push'], SyncStatus: ['Synced'], Commit: [HEAD] });
    });
  });

  it('interrupts the retries of a heal for a push, whose write undoes the heal first', async () => {
    const inputs: ApplyTargetInput[] = [];
    const activities: Partial<Activities> = {
      prepare: ({ request }) => Promise.resolve({ kind: 'ready', commit: request.only ? COMMIT : HEAD, rules: [ruleOf(2, { timeoutMs: 120_000 })] }),
      applyTarget: (input) => {
        inputs.push(input);
        if (input.commit === HEAD || input.target.destination === 0) return Promise.resolve(SYNCED);
        throw ApplicationFailure.create({ message: 'not reachable', type: 'sink unavailable', details: [{ wrote: 'no' }] });
      },
      restoreTarget: () => {
        throw ApplicationFailure.create({ message: 'not reachable', type: 'sink unavailable' });
      },
    };
    await lab.withWorker(activities, async (stream) => {
      const handle = await stream.push({ id: 'h1', ...HEAL });
      await vi.waitFor(() => expect(inputs.filter(({ target }) => target.destination === 1).length).toBeGreaterThan(1), { timeout: 10_000 });
      await stream.push({ id: 'push' });
      const { requests } = await stream.result(handle);
      expect(requests.map(({ id, outcome }) => `${id} ${outcome.status}`)).toEqual(['h1 Superseded', 'push Synced']);
      const [healed, pushed] = [COMMIT, HEAD].map((commit) => inputs.find((input) => input.commit === commit && input.target.destination === 0));
      expect(pushed?.undoFirst).toEqual([healed?.write]);
    });
  });

  it('ends as the failed workflow of a rejected push although a heal after it went well', async () => {
    const rejects: Answer = ({ only }) =>
      only ? { kind: 'ready', commit: COMMIT, rules: [ruleOf(1)] } : { kind: 'rejected', commit: HEAD, problems: ['bad'] };
    await gathered(
      { id: 'push' },
      [{ id: 'h1', ...HEAL }],
      {},
      (run) => {
        expect(run.ends).toEqual(['push Rejected', 'h1 Synced']);
        expect(run.failure).toMatchObject({ cause: { type: 'Rejected' } });
        expect(run.searchAttributes).toMatchObject({ Trigger: ['push'], SyncStatus: ['Rejected'], Commit: [HEAD] });
      },
      rejects,
    );
  });
});
