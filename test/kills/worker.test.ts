import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import type { RunOutcome } from '../../domain/status.ts';
import { describeWith } from '../servers/describe-with.ts';
import type { ServerProcess } from '../servers/start-process.ts';
import { expectAtRest, stateOf, type TenantState } from './at-rest.ts';
import { FIRST, goOnWhenAwaited, openLab, SECOND, type Lab } from './lab.ts';

const SINKS = ['cache', 'files', 'bucket'] as const;
const APPLY_STEPS = [
  ...SINKS.flatMap((sink) => stepsOf(sink).map((step) => `apply:${sink}:${step}`)),
  ...['undo', 'intent', 'file', 'commit'].map((step) => `apply:files:before-${step}`),
  ...['claim', 'undo', 'object', 'commit'].map((step) => `apply:bucket:before-${step}`),
];
const RESTORE_STEPS = [
  ...SINKS.flatMap((sink) => stepsOf(sink).map((step) => `restore:${sink}:${step}`)),
  ...['file', 'commit'].map((step) => `restore:files:before-${step}`),
  ...['claim', 'undo', 'object', 'commit'].map((step) => `restore:bucket:before-${step}`),
];
/** Steps of the script on the machine: it dies with the worker, or goes on without it. */
const SCRIPT_STEP = /^(apply|restore):files:before-(undo|intent|file|commit)$/;

/** Between `begin` and the write, and between the write and `end`, is only the activity, the same for every sink; a kind's own steps are at the write. */
function stepsOf(sink: (typeof SINKS)[number]): readonly string[] {
  return sink === 'cache' ? ['begin', 'before-write', 'after-write', 'end'] : ['before-write', 'after-write'];
}

interface Experiment {
  readonly tenant: string;
  readonly point: string;
  /** What becomes of the script that writes the file. */
  readonly script: 'killed too' | 'goes on';
  readonly end: 'Synced' | 'RolledBack';
}

const PLANS: readonly Omit<Experiment, 'tenant'>[] = [
  ...['none', 'prepare:begin', 'prepare:end', ...APPLY_STEPS, 'report:begin', 'report:end'].flatMap((point) => variantsOf(point, 'Synced')),
  ...['none', ...RESTORE_STEPS].flatMap((point) => variantsOf(point, 'RolledBack')),
];

function variantsOf(point: string, end: Experiment['end']): readonly Omit<Experiment, 'tenant'>[] {
  const scripts = SCRIPT_STEP.test(point) ? (['killed too', 'goes on'] as const) : (['killed too'] as const);
  return scripts.map((script) => ({ point, script, end }));
}

describeWith(['temporal', 'redis', 'seaweedfs'], 'a worker that is killed', () => {
  let lab: Lab;
  let api: ServerProcess;
  let experiments: readonly Experiment[];
  let first: string;
  let second: string;
  const before = new Map<string, TenantState>();
  const outcomes = new Map<string, RunOutcome>();

  // One kill for all of them: the points are where each tenant's run stands when the process goes.
  beforeAll(async () => {
    lab = await openLab({ tenants: PLANS.length, temporal: inject('temporal').address, gated: (index) => PLANS[index]?.end === 'RolledBack' });
    experiments = PLANS.map((plan, index) => ({ ...plan, tenant: lab.tenants[index] ?? '' }));
    let worker: ServerProcess;
    [api, worker] = await Promise.all([lab.startApi(), lab.startWorkerWithStops()]);
    first = await lab.repository.commit(FIRST);
    await lab.begin(api, lab.tenants, first);
    for (const tenant of lab.tenants) before.set(tenant, await stateOf(lab, tenant));

    const stopped = experiments.filter(({ point }) => point !== 'none');
    await lab.stops.arm(Object.fromEntries(stopped.map(({ tenant, point }) => [tenant, point])));
    await writeFile(join(lab.directory, 'refuse'), '');
    second = await lab.repository.commit(SECOND);
    const ends = Promise.all(experiments.map(async ({ tenant }) => outcomes.set(tenant, await lab.sync(api, tenant, second))));
    // Awaited below; where a step before that fails, that is the failure to tell.
    ends.catch(() => undefined);
    const holders = await lab.stops.held(stopped.map(({ tenant }) => tenant));
    await worker.kill();
    const scripts = stopped.flatMap((each, index) => (SCRIPT_STEP.test(each.point) ? [{ ...each, pid: holders[index] ?? 0 }] : []));
    for (const { script, pid } of scripts) if (script === 'killed too') process.kill(-pid, 'SIGKILL');
    await lab.startWorker();
    const lingering = scripts.filter(({ script }) => script === 'goes on').map(({ tenant }) => tenant);
    await Promise.all(lingering.map((tenant) => goOnWhenAwaited(lab, tenant)));
    await ends;
  }, 300_000);
  afterAll(async () => {
    await lab?.close();
  }, 60_000);

  it.each(PLANS.map((plan, index) => ({ ...plan, index, title: titleOf(plan) })))('$title', async ({ index, end, script, point }) => {
    const { tenant } = experiments[index] as Experiment;
    const undisturbed = experiments.find((each) => each.point === 'none' && each.end === end)?.tenant ?? '';
    const outcome = outcomes.get(tenant);
    expect(outcome?.status).toBe(end);
    expect(statusesOf(outcome)).toEqual(statusesOf(outcomes.get(undisturbed)));
    expect(outcome?.commit).toBe(second);
    // A script that was killed cannot clear up after itself; the next write does, after an hour.
    const leftovers = SCRIPT_STEP.test(point) && script === 'killed too' ? [/\.vartrack\.tmp\./] : [];
    const like = end === 'RolledBack' ? before.get(tenant) : await stateOf(lab, undisturbed);
    await expectAtRest(lab, tenant, like as TenantState, leftovers);
  });

  // All are like the undisturbed by now, so some stand for them: those where something of the attempt may still lie about.
  it('leaves a tenant able to go on: the same commit again writes nothing where it is, and gets through where it was refused', async () => {
    const some = experiments.filter(({ point }) => point === 'none' || /:(after-write|before-commit)$/.test(point));
    const at = await Promise.all(some.map(({ tenant }) => stateOf(lab, tenant)));
    await rm(join(lab.directory, 'refuse'));
    const again = await Promise.all(some.map(async ({ tenant, end }) => [end, (await lab.sync(api, tenant, second)).status]));
    expect(again).toEqual(some.map(({ end }) => [end, end === 'Synced' ? 'Unchanged' : 'Synced']));
    for (const [index, { tenant, end }] of some.entries()) {
      const now = await stateOf(lab, tenant);
      if (end === 'Synced') expect(now.ledgers).toEqual(at[index]?.ledgers);
      else await expectAtRest(lab, tenant, await stateOf(lab, experiments[0]?.tenant ?? ''), [/\.vartrack\.tmp\./]);
    }
  }, 120_000);
});

function titleOf({ point, script, end }: Omit<Experiment, 'tenant'>): string {
  if (point === 'none') return `a run that is not at work when it happens ends ${end}`;
  return `at ${point}${SCRIPT_STEP.test(point) ? `, whose script ${script === 'goes on' ? 'goes on' : 'is killed too'}` : ''}: ends ${end} like any other`;
}

function statusesOf(outcome: RunOutcome | undefined): readonly string[] {
  return (outcome?.targets ?? []).map(({ sink, status }) => `${sink} ${status}`).toSorted();
}
