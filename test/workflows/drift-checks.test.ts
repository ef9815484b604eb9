import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPauseReader } from '../../activities/pause.ts';
import { newWatch } from '../../domain/watch-state.ts';
import { checkNowSignal, forceHealSignal, pauseSignal, renewSignal, resumeSignal } from '../../workflows/messages.ts';
import { searchAttributes } from '../../workflows/search-attributes.ts';
import { describeWith } from '../servers/describe-with.ts';
import { checkedTarget, eventually, withWatch, type DriftLab } from './drift-lab.ts';
import { recordHistory } from './record-history.ts';
import { openWorkflowLab, type WorkflowLab } from './workflow-lab.ts';

describeWith('temporal', 'DriftWatchWorkflow with checks', () => {
  let lab: WorkflowLab;
  beforeAll(async () => {
    lab = await openWorkflowLab();
  });
  afterAll(() => lab.close());

  it('checks everything as it starts, and heals what drifted at its own commit until it is in sync', async () => {
    await withWatch(
      lab,
      { targets: [checkedTarget('a', 'Drifted'), checkedTarget('b', 'InSync'), checkedTarget('c', 'Drifted', { mode: 'warn' })] },
      async (drift) => {
        await drift.until(({ targets }) => expect(targets.map(({ id, status }) => `${id} ${status}`)).toEqual(['c Drifted', 'a Healing', 'b InSync']));
        expect(drift.checks[0]).toMatchObject({ groups: 'all', polls: [] });
        await eventually(() => expect(drift.runs).toHaveLength(1));
        expect(drift.runs[0]).toMatchObject({ repository: 'config', stream: 'main', request: { trigger: 'heal', commit: 'a'.repeat(40), only: ['a'] } });
        drift.found.targets = [checkedTarget('a', 'InSync'), checkedTarget('b', 'InSync'), checkedTarget('c', 'Drifted', { mode: 'warn' })];
        await drift.until(({ targets }) => expect(targets.find(({ id }) => id === 'a')?.status).toBe('InSync'));
        expect(drift.checks.at(-1)).toMatchObject({ groups: [], polls: [], targets: ['a'] });
        expect(drift.runs).toHaveLength(1);
        expect(await drift.details()).toMatch(/\*\*Drifted\*\* production: cache \(redis\) `place of c`.*changed `redis.port`/);
        await eventually(async () => expect((await drift.watch.describe()).typedSearchAttributes.get(searchAttributes.drift)).toBe('Drifted'));
        await recordHistory(drift.watch);
      },
    );
  });

  it('takes a pause while a check hangs, starts nothing for what that check finds, and starts every stream on resume (I12)', async () => {
    await withWatch(lab, { targets: [checkedTarget('a', 'InSync')] }, async (drift) => {
      await drift.until(({ status }) => expect(status).toBe('InSync'));
      const hung = hold(drift);
      await drift.watch.signal(checkNowSignal, { targets: ['a'] });
      await eventually(() => expect(drift.checks.at(-1)?.targets).toEqual(['a']));
      await drift.watch.signal(pauseSignal, { by: 'ann', reason: 'maintenance' });
      await eventually(async () => expect(await createPauseReader(drift.client)(drift.tenant)).toMatchObject({ by: 'ann' }));
      drift.found.targets = [checkedTarget('a', 'Drifted')];
      hung.release();
      await drift.until(({ targets, pause }) => expect([targets[0]?.status, pause?.by]).toEqual(['Drifted', 'ann']));
      await drift.watch.signal(forceHealSignal, { by: 'bob' });
      await eventually(async () => expect(await drift.details()).toContain('forceHeal by bob: nothing is written in a pause'));
      expect([drift.runs, drift.resumed]).toEqual([[], []]);
      await drift.watch.signal(resumeSignal, { by: 'ann' });
      await eventually(() => expect(drift.resumed).toEqual(['ann']));
      // And then looks whether that has mended it.
      await eventually(() => expect(drift.checks.at(-1)).toMatchObject({ groups: 'all', polls: 'all' }));
      await eventually(() => expect(drift.runs.map(({ request }) => request.trigger)).toEqual(['heal']));
      await recordHistory(drift.watch);
    });
  });

  it('leaves a contested target alone, carries that on in a new run, and heals it when a person says so', async () => {
    const ago = (seconds: number): string => new Date(Date.now() - seconds * 1_000).toISOString();
    const heals = [200, 150, 100, 60, 30].map(ago);
    const carried = { ...newWatch(), healing: [{ id: 'a', heals }] };
    await withWatch(lab, { carried, targets: [checkedTarget('a', 'Drifted')] }, async (drift) => {
      await drift.until(({ status, targets }) => expect([status, targets[0]?.heals?.length]).toEqual(['Contested', 5]));
      const { runId } = await drift.watch.describe();
      const before = await drift.state();
      await Promise.all([drift.watch.signal(renewSignal), drift.watch.signal(pauseSignal, { by: 'ann', reason: 'r' })]);
      await eventually(async () => expect((await drift.watch.describe()).runId).not.toBe(runId));
      await drift.until((state) => expect([state.pause?.by, state.targets]).toEqual(['ann', before.targets]));
      expect((await drift.watch.describe()).typedSearchAttributes.get(searchAttributes.drift)).toBe('Contested');
      await drift.watch.signal(resumeSignal, { by: 'ann' });
      await eventually(() => expect(drift.checks.at(-1)).toMatchObject({ polls: 'all' }));
      expect(drift.runs).toEqual([]);
      await drift.watch.signal(forceHealSignal, { by: 'bob', targets: ['a'] });
      await eventually(() => expect(drift.runs[0]?.request).toMatchObject({ trigger: 'heal', by: 'bob', only: ['a'] }));
      await recordHistory(drift.watch);
    });
  });

  it('starts streams that have moved, and none that wait for a person', async () => {
    await withWatch(lab, {}, async (drift) => {
      await drift.until(({ checkedAt }) => expect(checkedAt).not.toBeNull());
      const stream = { repository: 'config', event: { kind: 'branch', name: 'main' }, head: 'c'.repeat(40) } as const;
      drift.found.streams = [
        { ...stream, stream: 'main', state: 'moved' },
        { ...stream, stream: 'develop', state: 'waiting', message: 'Rejected' },
      ];
      await drift.watch.signal(checkNowSignal, {});
      await eventually(() => expect(drift.runs.map(({ stream, request }) => [stream, request.trigger])).toEqual([['main', 'poll']]));
      await drift.until(({ streams, status }) => expect([streams.map(({ attempts }) => attempts), status]).toEqual([[1, 0], 'Pending']));
    });
  });

  it('goes on in a new run after forty checks, so that histories stay short', async () => {
    await withWatch(lab, { targets: [checkedTarget('a', 'InSync')] }, async (drift) => {
      const { runId } = await drift.watch.describe();
      for (let count = 1; count < 40; count++) {
        await eventually(() => expect(drift.checks.length).toBeGreaterThanOrEqual(count));
        await drift.watch.signal(checkNowSignal, { targets: ['a'] });
      }
      await eventually(async () => expect((await drift.watch.describe()).runId).not.toBe(runId));
      expect(await drift.state()).toMatchObject({ status: 'InSync', targets: [{ id: 'a' }] });
      expect((await drift.client.workflow.getHandle(drift.watch.workflowId, runId).describe()).historyLength).toBeLessThan(800);
    });
  }, 60_000);

  it('goes on after every kind of message that nobody can act on, and says which it ignored', async () => {
    await withWatch(lab, { targets: [checkedTarget('a', 'InSync')] }, async (drift) => {
      const { watch } = drift;
      const nonsense = [
        undefined,
        null,
        'text',
        7,
        [],
        { by: 7 },
        { by: 'ann', until: 'tomorrow', reason: 'r' },
        { targets: 'a' },
        { by: 'ann', targets: [1] },
      ];
      for (const name of ['pause', 'forceHeal', 'checkNow', 'no-such-signal']) for (const payload of nonsense) await watch.signal(name, payload);
      await watch.signal('resume');
      await watch.signal('renew', { what: 'ever' });
      await watch.signal(pauseSignal, { by: 'ann', reason: 'r' });
      await drift.until(({ pause }) => expect(pause?.by).toBe('ann'));
      await watch.signal('pause', { reason: 'nobody' });
      await eventually(async () => expect(await drift.details()).toContain('ignored a signal: pause: needs {"by": "who", "reason": "why"}'));
      expect((await drift.state()).pause?.by).toBe('ann');
    });
  });

  it('says that it does not know when checks fail, takes messages meanwhile, and knows again', async () => {
    await withWatch(lab, { targets: [checkedTarget('a', 'InSync')] }, async (drift) => {
      await drift.until(({ status }) => expect(status).toBe('InSync'));
      drift.during = () => Promise.reject(ApplicationFailure.nonRetryable('the forge and the moon are away'));
      await drift.watch.signal(checkNowSignal, {});
      await drift.until(({ status, problem }) => expect({ status, problem }).toEqual({ status: 'Unknown', problem: 'the forge and the moon are away' }));
      expect(await drift.details()).toContain('the forge and the moon are away');
      drift.during = () => Promise.resolve();
      await drift.watch.signal(checkNowSignal, { targets: ['a'] });
      await drift.until(({ status, problem }) => expect({ status, problem }).toEqual({ status: 'InSync', problem: null }));
    });
  });

  it('ends when the tenant is gone for good, not with the first answer of a worker, and not while it is paused', async () => {
    await withWatch(lab, {}, async (drift) => {
      await drift.until(({ checkedAt }) => expect(checkedAt).not.toBeNull());
      drift.found.kind = 'gone';
      await drift.watch.signal(checkNowSignal, {});
      await eventually(() => expect(drift.checks.length).toBeGreaterThan(1));
      await drift.watch.signal(checkNowSignal, {});
      await eventually(() => expect(drift.checks.length).toBeGreaterThan(2));
      expect((await drift.watch.describe()).status.name).toBe('RUNNING');
    });
    const carried = { ...newWatch(), goneAt: new Date(Date.now() - 60_000).toISOString() };
    await withWatch(lab, { carried: { ...carried, goneAt: new Date(Date.now() - 28_000).toISOString() } }, async (drift) => {
      drift.found.kind = 'gone';
      await drift.watch.signal(pauseSignal, { by: 'ann', reason: 'r' });
      await eventually(() => expect(drift.checks.length).toBeGreaterThan(0));
      expect((await drift.state()).pause?.by).toBe('ann');
    });
    await withWatch(lab, { carried }, async (drift) => {
      drift.found.kind = 'gone';
      await eventually(async () => expect((await drift.watch.describe()).status.name).toBe('COMPLETED'));
      await recordHistory(drift.watch);
    });
  });

  it('holds the subscriptions on a queue of their own where a sink tells of changes, also in the run after', async () => {
    await withWatch(lab, { targets: [checkedTarget('a', 'InSync')] }, async (drift) => {
      const subscriptions = async (): Promise<number> =>
        (await drift.watch.describe()).raw.pendingActivities?.filter(({ activityType }) => activityType?.name === 'watchTenant').length ?? 0;
      await drift.until(({ status }) => expect(status).toBe('InSync'));
      expect(await subscriptions()).toBe(0);
      drift.found.notifies = true;
      await drift.watch.signal(checkNowSignal, {});
      await eventually(async () => expect(await subscriptions()).toBe(1));
      const { runId } = await drift.watch.describe();
      await drift.watch.signal(renewSignal);
      await eventually(async () => expect((await drift.watch.describe()).runId).not.toBe(runId));
      await eventually(async () => expect(await subscriptions()).toBe(1));
      drift.found.notifies = false;
      await drift.watch.signal(checkNowSignal, {});
      await eventually(async () => expect(await subscriptions()).toBe(0));
    });
  });
});

describeWith('temporal', 'DriftWatchWorkflow with checks and no cache', () => {
  it('does the same when each task is replayed from the start', async () => {
    const lab = await openWorkflowLab({ maxCachedWorkflows: 0 });
    await withWatch(lab, { targets: [checkedTarget('a', 'Drifted')] }, async (drift) => {
      await eventually(() => expect(drift.runs.map(({ request }) => request.only)).toEqual([['a']]));
      await drift.watch.signal(pauseSignal, { by: 'ann', reason: 'r' });
      drift.found.targets = [checkedTarget('a', 'InSync')];
      await drift.until(({ targets, pause }) => expect([targets[0]?.status, pause?.by]).toEqual(['InSync', 'ann']));
      await drift.watch.signal(resumeSignal, { by: 'bob' });
      await eventually(() => expect(drift.resumed).toEqual(['bob']));
    });
    await lab.close();
  }, 60_000);
});

function hold(drift: DriftLab): { release(): void } {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  drift.during = () => held;
  return { release: () => release() };
}
