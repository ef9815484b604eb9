import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { ApplyTargetInput, Applied, Prepared, RestoreTargetInput } from '../../activities/activity-types.ts';
import { syncStateQuery } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';
import { COMMIT, failsForGood, openWorkflowLab, placesOf, ready, ruleOf, type WorkflowLab, type WorkflowLabOptions } from './workflow-lab.ts';

const SYNCED: Applied = { status: 'Synced', prior: 'p', changes: { puts: 1, deletes: 0, adopted: 0, keys: ['a'] } };

describeWith('temporal', 'SyncWorkflow', () => suite({}));
// Nothing is kept in memory: every step replays the run from its history, so what is not deterministic fails.
describeWith('temporal', 'SyncWorkflow, replayed at every step', () => suite({ maxCachedWorkflows: 0 }));

function suite(options: WorkflowLabOptions): void {
  let lab: WorkflowLab;
  beforeAll(async () => {
    lab = await openWorkflowLab(options);
  });
  afterAll(() => lab.close());

  it('writes every target of a valid commit and ends Synced', async () => {
    const writes: ApplyTargetInput[] = [];
    const applyTarget = (input: ApplyTargetInput): Promise<Applied> => {
      writes.push(input);
      return Promise.resolve(SYNCED);
    };
    await lab.withWorker({ prepare: ready(ruleOf(3)), applyTarget }, async (stream) => {
      const outcome = await stream.outcome(await stream.push());
      expect(outcome).toMatchObject({ status: 'Synced', commit: COMMIT, summary: '3 of 3 targets written and read back' });
      expect(placesOf(writes)).toEqual(['t0', 't1', 't2']);
      expect(new Set(writes.map((write) => write.write)).size).toBe(3);
    });
  });

  it('schedules no write for targets that prepare found unchanged', async () => {
    const rule = ruleOf(2);
    const unchanged = { ...rule, targets: rule.targets.map((target) => ({ ...target, change: 'unchanged' as const })) };
    const applyTarget = vi.fn<() => Promise<Applied>>();
    await lab.withWorker({ prepare: ready(unchanged), applyTarget }, async (stream) => {
      expect(await stream.outcome(await stream.push())).toMatchObject({ status: 'Unchanged' });
      expect(applyTarget).not.toHaveBeenCalled();
    });
  });

  it.each([
    ['rejected', 'Rejected'],
    ['held', 'Held'],
  ] as const)('ends %s without a write, as a failed workflow that says why', async (kind, status) => {
    const applyTarget = vi.fn<() => Promise<Applied>>();
    const prepare = () => Promise.resolve({ kind, commit: COMMIT, problems: ['settings/a.yaml:3:1 port: must be a number'] } satisfies Prepared);
    await lab.withWorker({ prepare, applyTarget }, async (stream) => {
      const handle = await stream.push();
      await stream.result(handle);
      await expect(handle.result()).rejects.toMatchObject({ cause: { type: status, message: expect.stringContaining('settings/a.yaml:3:1 port') as string } });
      expect(applyTarget).not.toHaveBeenCalled();
    });
  });

  it('undoes what was written when another target fails for good, and leaves alone what was certainly not written', async () => {
    const undone: RestoreTargetInput[] = [];
    const applyTarget = (input: ApplyTargetInput): Promise<Applied> => (input.target.destination === 1 ? failsForGood('no') : Promise.resolve(SYNCED));
    const restoreTarget = (input: RestoreTargetInput) => {
      undone.push(input);
      return Promise.resolve({ status: 'Restored' as const, message: 'back' });
    };
    await lab.withWorker({ prepare: ready(ruleOf(3)), applyTarget, restoreTarget }, async (stream) => {
      const outcome = await stream.outcome(await stream.push());
      expect(outcome.status).toBe('RolledBack');
      expect(outcome.summary).toContain('the sink refuses');
      expect(Object.fromEntries(outcome.targets.map(({ place, status }) => [place, status]))).toEqual({ t0: 'Restored', t1: 'Failed', t2: 'Restored' });
      expect(Object.fromEntries(undone.map((input) => [input.target.place, input.prior]))).toEqual({ t0: 'p', t2: 'p' });
    });
  });

  it('also undoes a target whose failed write may have got through', async () => {
    const undone: string[] = [];
    const applyTarget = (input: ApplyTargetInput): Promise<Applied> => (input.target.destination === 1 ? failsForGood('unknown') : Promise.resolve(SYNCED));
    const restoreTarget = (input: RestoreTargetInput) => {
      undone.push(input.target.place);
      return Promise.resolve({ status: 'Skipped' as const, message: 'nothing of it was written' });
    };
    await lab.withWorker({ prepare: ready(ruleOf(2)), applyTarget, restoreTarget }, async (stream) => {
      expect(await stream.outcome(await stream.push())).toMatchObject({ status: 'RolledBack' });
      expect(undone.toSorted()).toEqual(['t0', 't1']);
    });
  });

  it('retries an undo until it succeeds', async () => {
    let attempts = 0;
    const applyTarget = (input: ApplyTargetInput): Promise<Applied> => (input.target.destination === 1 ? failsForGood('no') : Promise.resolve(SYNCED));
    const restoreTarget = () => {
      attempts++;
      if (attempts < 3) throw ApplicationFailure.create({ message: 'not reachable', type: 'sink unavailable' });
      return Promise.resolve({ status: 'Restored' as const, message: 'back' });
    };
    await lab.withWorker({ prepare: ready(ruleOf(2)), applyTarget, restoreTarget }, async (stream) => {
      expect(await stream.outcome(await stream.push())).toMatchObject({ status: 'RolledBack' });
      expect(attempts).toBe(3);
    });
  });

  it('ends Failed, naming what is where, when an undo is refused for good', async () => {
    const applyTarget = (input: ApplyTargetInput): Promise<Applied> => (input.target.destination === 1 ? failsForGood('no') : Promise.resolve(SYNCED));
    const restoreTarget = () => {
      throw ApplicationFailure.nonRetryable('somebody else wrote it since', 'sink conflict');
    };
    await lab.withWorker({ prepare: ready(ruleOf(2)), applyTarget, restoreTarget }, async (stream) => {
      const outcome = await stream.outcome(await stream.push());
      expect(outcome.status).toBe('Failed');
      expect(outcome.targets[0]?.message).toContain('somebody else wrote it since');
    });
  });

  it('keeps what was written under onFailure: continue', async () => {
    const applyTarget = (input: ApplyTargetInput): Promise<Applied> => (input.target.destination === 0 ? failsForGood('no') : Promise.resolve(SYNCED));
    await lab.withWorker({ prepare: ready(ruleOf(3, { onFailure: 'continue' })), applyTarget }, async (stream) => {
      const outcome = await stream.outcome(await stream.push());
      expect(outcome.status).toBe('Partial');
      expect(outcome.targets.map(({ status }) => status)).toEqual(['Failed', 'Synced', 'Synced']);
    });
  });

  it('writes one after another under onFailure: halt and stops at the first failure', async () => {
    const applyTarget = (input: ApplyTargetInput): Promise<Applied> => (input.target.destination === 1 ? failsForGood('no') : Promise.resolve(SYNCED));
    await lab.withWorker({ prepare: ready(ruleOf(3, { onFailure: 'halt' })), applyTarget }, async (stream) => {
      const outcome = await stream.outcome(await stream.push());
      expect(outcome.status).toBe('Partial');
      expect(outcome.targets.map(({ status }) => status)).toEqual(['Synced', 'Failed', 'Skipped']);
    });
  });

  it('lets requests join the run that works, and prepares once for all of them', async () => {
    let prepared = 0;
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const prepare = async (): Promise<Prepared> => {
      prepared++;
      if (prepared === 1) await gate;
      return { kind: 'ready', commit: COMMIT, rules: [ruleOf(1)] };
    };
    await lab.withWorker({ prepare, applyTarget: () => Promise.resolve(SYNCED) }, async (stream) => {
      const first = await stream.push({ id: 'first' });
      await vi.waitFor(() => expect(prepared).toBe(1), { timeout: 10_000 });
      const joined = await Promise.all(Array.from({ length: 20 }, (_, n) => stream.push({ id: `n${n % 10}` })));
      open();
      const { requests } = await stream.result(first);
      expect(new Set(joined.map((handle) => handle.workflowId))).toEqual(new Set([first.workflowId]));
      // Twenty deliveries with ten ids: each id once, all but the newest superseded by it.
      expect(requests.map(({ id }) => id)).toHaveLength(11);
      expect(requests.filter(({ outcome }) => outcome.status === 'Superseded')).toHaveLength(9);
      expect(prepared).toBe(2);
    });
  });

  it('lets a newer request take over from retries within five seconds, and undoes the older write first', async () => {
    const newer = 'b'.repeat(40);
    const inputs: ApplyTargetInput[] = [];
    let round = 0;
    const prepare = (): Promise<Prepared> =>
      Promise.resolve({ kind: 'ready', commit: ++round === 1 ? COMMIT : newer, rules: [ruleOf(2, { timeoutMs: 120_000 })] });
    const applyTarget = (input: ApplyTargetInput): Promise<Applied> => {
      inputs.push(input);
      if (input.commit === COMMIT && input.target.destination === 1) {
        throw ApplicationFailure.create({ message: 'not reachable', type: 'sink unavailable', details: [{ wrote: 'no' }] });
      }
      return Promise.resolve(SYNCED);
    };
    // The undo does not get through in time either, so it is left to the newer write.
    const restoreTarget = () => {
      throw ApplicationFailure.create({ message: 'not reachable', type: 'sink unavailable' });
    };
    await lab.withWorker({ prepare, applyTarget, restoreTarget }, async (stream) => {
      const handle = await stream.push({ id: 'old' });
      await vi.waitFor(() => expect(inputs.filter((input) => input.target.destination === 1).length).toBeGreaterThan(1), { timeout: 10_000 });
      const asked = performance.now();
      await stream.push({ id: 'new' });
      const { requests } = await stream.result(handle);
      expect(performance.now() - asked).toBeLessThan(5_000);
      expect(requests.map(({ id, outcome }) => [id, outcome.status])).toEqual([
        ['old', 'Superseded'],
        ['new', 'Synced'],
      ]);
      const overwriting = inputs.find((input) => input.commit === newer && input.target.destination === 0);
      const overwritten = inputs.find((input) => input.commit === COMMIT && input.target.destination === 0);
      expect(overwriting?.undoFirst).toEqual([overwritten?.write]);
    });
  });

  it('undoes a taken-over write when the newer commit is rejected', async () => {
    let round = 0;
    let tried = 0;
    const undone: string[] = [];
    const prepare = (): Promise<Prepared> =>
      Promise.resolve(++round === 1 ? { kind: 'ready', commit: COMMIT, rules: [ruleOf(2, { timeoutMs: 120_000 })] } : { kind: 'rejected', problems: ['bad'] });
    const applyTarget = (input: ApplyTargetInput): Promise<Applied> => {
      if (input.target.destination === 0) return Promise.resolve(SYNCED);
      tried++;
      throw ApplicationFailure.create({ message: 'not reachable', type: 'sink unavailable', details: [{ wrote: 'no' }] });
    };
    const restoreTarget = (input: RestoreTargetInput) => {
      undone.push(input.target.place);
      return Promise.resolve({ status: 'Restored' as const, message: 'back' });
    };
    await lab.withWorker({ prepare, applyTarget, restoreTarget }, async (stream) => {
      const handle = await stream.push({ id: 'old' });
      await vi.waitFor(() => expect(tried).toBeGreaterThan(0), { timeout: 10_000 });
      await stream.push({ id: 'new' });
      expect(await stream.outcome(handle)).toMatchObject({ status: 'Rejected' });
      expect(undone).toContain('t0');
    });
  });

  it('prepares again when the bundle changed under a run', async () => {
    let round = 0;
    const prepare = (): Promise<Prepared> => Promise.resolve({ kind: 'ready', commit: COMMIT, rules: [ruleOf(1, { rule: `round-${++round}` })] });
    const applyTarget = (): Promise<Applied> => {
      if (round === 1) throw ApplicationFailure.create({ message: 'changed', type: 'Stale', nonRetryable: true, details: [{ wrote: 'no' }] });
      return Promise.resolve(SYNCED);
    };
    await lab.withWorker({ prepare, applyTarget }, async (stream) => {
      expect(await stream.outcome(await stream.push())).toMatchObject({ status: 'Synced' });
      expect(round).toBe(2);
    });
  });

  it('undoes what is half done when a person cancels it, and ends cancelled', async () => {
    let tried = 0;
    const undone: string[] = [];
    const applyTarget = (input: ApplyTargetInput): Promise<Applied> => {
      if (input.target.destination === 0) return Promise.resolve(SYNCED);
      tried++;
      throw ApplicationFailure.create({ message: 'not reachable', type: 'sink unavailable', details: [{ wrote: 'no' }] });
    };
    const restoreTarget = (input: RestoreTargetInput) => {
      undone.push(input.target.place);
      return Promise.resolve({ status: 'Restored' as const, message: 'back' });
    };
    await lab.withWorker({ prepare: ready(ruleOf(2, { timeoutMs: 120_000 })), applyTarget, restoreTarget }, async (stream) => {
      const handle = await stream.push();
      await vi.waitFor(() => expect(tried).toBeGreaterThan(0), { timeout: 10_000 });
      await handle.cancel();
      await expect(stream.result(handle)).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
      expect(undone).toContain('t0');
    });
  });

  it('parks while the tenant is paused', async () => {
    const prepare = (): Promise<Prepared> => Promise.resolve({ kind: 'parked', why: 'paused by ann' });
    await lab.withWorker({ prepare }, async (stream) => {
      expect(await stream.outcome(await stream.push())).toMatchObject({ status: 'Parked', summary: 'paused by ann' });
    });
  });

  it('tells in the UI, by search attributes, summaries and details, what a run is and what it did', async () => {
    await lab.withWorker({ prepare: ready(ruleOf(1)), applyTarget: () => Promise.resolve(SYNCED) }, async (stream) => {
      const handle = await stream.push();
      await handle.result();
      const described = await handle.describe();
      expect(described.searchAttributes).toMatchObject({
        Tenant: [stream.tenant],
        Repository: ['config'],
        Stream: ['main'],
        Commit: [COMMIT],
        Trigger: ['push'],
        SyncStatus: ['Synced'],
        Environments: ['production'],
        Sinks: ['sink-0'],
      });
      const metadata = await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
      expect(metadata.currentDetails).toContain('- **Synced** production: sink-0 (redis) `t0`, rule settings: 1 put');
      expect(await handle.query(syncStateQuery)).toMatchObject({ phase: 'waiting', waiting: 0 });
    });
  });
}
