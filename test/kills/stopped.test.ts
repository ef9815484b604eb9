import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import type { RunOutcome } from '../../domain/status.ts';
import { describeWith } from '../servers/describe-with.ts';
import type { ServerProcess } from '../servers/start-process.ts';
import { expectAtRest, stateOf, type TenantState } from './at-rest.ts';
import { FIRST, goOnWhenAwaited, openLab, SECOND, THIRD, until, type Lab } from './lab.ts';

const SINKS = ['cache', 'files', 'bucket'] as const;
const LATE_SCRIPT = 'apply:files:before-file';
const POINTS = [
  ...SINKS.map((sink) => `apply:${sink}:before-write`),
  ...['undo', 'object', 'commit'].map((step) => `apply:bucket:before-${step}`),
  ...SINKS.map((sink) => `restore:${sink}:before-write`),
  ...['undo', 'object', 'commit'].map((step) => `restore:bucket:before-${step}`),
  LATE_SCRIPT,
];

describeWith(['temporal', 'redis', 'seaweedfs'], 'a worker that is stopped for longer than its heartbeat timeout', () => {
  let lab: Lab;
  let third: string;
  let undisturbed: TenantState;
  const outcomes = new Map<string, RunOutcome>();
  const settled = new Map<string, TenantState>();

  // Stopped once for all: every tenant's run is held at a point of its own, and a newer commit is applied by another worker meanwhile.
  beforeAll(async () => {
    lab = await openLab({ tenants: POINTS.length + 1, temporal: inject('temporal').address, gated: (index) => POINTS[index]?.startsWith('restore') === true });
    const [api, sleeper]: readonly ServerProcess[] = await Promise.all([lab.startApi(), lab.startWorkerWithStops()]);
    if (!api || !sleeper) throw new Error('two processes were started');
    const first = await lab.repository.commit(FIRST);
    await lab.begin(api, lab.tenants, first);
    const held = lab.tenants.slice(0, POINTS.length);
    await lab.stops.arm(Object.fromEntries(held.map((tenant, index) => [tenant, POINTS[index] ?? ''])));
    await writeFile(join(lab.directory, 'refuse'), '');
    const second = await lab.repository.commit(SECOND);
    await Promise.all(lab.tenants.map((tenant) => lab.deliver(api, tenant, { commit: second })));
    await lab.stops.held(held);
    process.kill(sleeper.pid, 'SIGSTOP');

    await rm(join(lab.directory, 'refuse'));
    await lab.startWorker();
    third = await lab.repository.commit(THIRD);
    const ends = Promise.all(lab.tenants.map(async (tenant) => outcomes.set(tenant, await lab.sync(api, tenant, third))));
    ends.catch(() => undefined);
    await goOnWhenAwaited(lab, lab.tenants[POINTS.indexOf(LATE_SCRIPT)] ?? '');
    await ends;
    undisturbed = await stateOf(lab, lab.tenants[POINTS.length] ?? '');
    for (const tenant of held) settled.set(tenant, await stateOf(lab, tenant));

    await Promise.all(held.map((tenant) => lab.stops.letGo(tenant)));
    process.kill(sleeper.pid, 'SIGCONT');
    await until(async () => (await missingEnds()).length === 0, 'the attempts that were stopped have ended');
  }, 300_000);
  afterAll(async () => {
    await lab?.close();
  }, 60_000);

  it.each(POINTS.map((point, index) => [point, index] as const))('in the middle of %s writes nothing more when it goes on (I7)', async (point, index) => {
    const tenant = lab.tenants[index] ?? '';
    expect(outcomes.get(tenant)).toMatchObject({ status: 'Synced', commit: third });
    expect(await stateOf(lab, tenant)).toEqual(settled.get(tenant));
    await expectAtRest(lab, tenant, undisturbed);
    const [phase, sink] = point.split(':');
    const ends = (await lab.stops.notes()).filter((note) => note.startsWith(`${tenant} ${phase} ${sink} `)).map((note) => note.split(' ').at(-1));
    // The first one was that of the commit the tenant started from.
    if (phase === 'apply' && point !== LATE_SCRIPT) expect(ends.slice(1)).toEqual(['conflict']);
  });

  /** Attempts of the sleeper that are still under way. */
  async function missingEnds(): Promise<readonly string[]> {
    const notes = await lab.stops.notes();
    return POINTS.filter((point, index) => {
      const [phase = '', sink = ''] = point.split(':');
      return notes.filter((note) => note === `${lab.tenants[index]} ${phase}:${sink} ended`).length < (phase === 'apply' ? 2 : 1);
    });
  }
});
