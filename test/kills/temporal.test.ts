import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../servers/describe-with.ts';
import type { ServerProcess } from '../servers/start-process.ts';
import { startTemporal, type TemporalServer } from '../servers/temporal.ts';
import { comparable, expectAtRest, stateOf } from './at-rest.ts';
import { FIRST, openLab, SECOND, until, type Answer, type Lab } from './lab.ts';

const SINKS = ['cache', 'files', 'bucket'] as const;
/** Where each tenant's run stands when the server goes: in a write, and in the undo of a write. Let go on while there is no server, and when it is back. */
const WRITES = SINKS.flatMap((sink) => stepsOf(sink).map((step) => `apply:${sink}:${step}`));
const UNDOS = SINKS.flatMap((sink) => stepsOf(sink).map((step) => `restore:${sink}:${step}`));
const POINTS = [...WRITES, ...UNDOS].flatMap((point) => (['while it is away', 'when it is back'] as const).map((when) => ({ point, when })));
const [UNDISTURBED, UNDISTURBED_UNDO, WAITING] = [POINTS.length, POINTS.length + 1, POINTS.length + 2];

/** Before the write is only the activity, the same for every sink. */
function stepsOf(sink: (typeof SINKS)[number]): readonly string[] {
  return sink === 'cache' ? ['begin', 'before-write', 'after-write'] : ['before-write', 'after-write'];
}

describeWith(['temporal', 'redis', 'seaweedfs'], 'a Temporal server that is killed', () => {
  let scratch: string;
  let temporal: TemporalServer;
  let lab: Lab;
  let api: ServerProcess;
  let first: string;
  let second: string;

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'vartrack-temporal-'));
    temporal = await startTemporal({ databaseFile: join(scratch, 'temporal.db') });
    const gated = (index: number): boolean => index === UNDISTURBED_UNDO || POINTS[index]?.point.startsWith('restore:') === true;
    lab = await openLab({ tenants: POINTS.length + 3, temporal: temporal.address, gated });
    first = await lab.repository.commit(FIRST);
  }, 120_000);
  afterAll(async () => {
    await lab?.close();
    await temporal?.stop();
    await rm(scratch, { recursive: true, force: true });
  }, 60_000);

  async function killAndRestart(meanwhile: () => Promise<void>): Promise<void> {
    await temporal.kill();
    await meanwhile();
    temporal = await startTemporal({ databaseFile: join(scratch, 'temporal.db'), port: temporal.port });
  }

  it('before the first activity has the run when it is back', async () => {
    api = await lab.startApi();
    const answer = await lab.deliver(api, lab.tenants[WAITING] ?? '', { commit: first });
    expect(answer.status).toBe(202);
    await killAndRestart(() => Promise.resolve());
    await lab.startWorkerWithStops();
    const [result] = await lab.resultsOf(answer);
    expect(result).toMatchObject({ id: answer.id, outcome: { status: 'Synced', commit: first } });
  }, 120_000);

  it('during writes and undos lets every run go on to the same end', async () => {
    await lab.begin(api, lab.tenants.slice(0, WAITING), first);
    const like = await stateOf(lab, lab.tenants[0] ?? '');
    const held = lab.tenants.slice(0, POINTS.length);
    await lab.stops.arm(Object.fromEntries(held.map((tenant, index) => [tenant, POINTS[index]?.point ?? ''])));
    await writeFile(join(lab.directory, 'refuse'), '');
    second = await lab.repository.commit(SECOND);
    const answers = await Promise.all(lab.tenants.slice(0, WAITING).map((tenant) => lab.deliver(api, tenant, { commit: second })));
    await lab.stops.held(held);
    await Promise.all([UNDISTURBED, UNDISTURBED_UNDO].map((index) => lab.resultsOf(answers[index] as Answer)));
    const goOn = (when: string): Promise<unknown> => Promise.all(held.filter((_, index) => POINTS[index]?.when === when).map((each) => lab.stops.letGo(each)));

    await killAndRestart(async () => {
      await goOn('while it is away');
      await until(writesAreThrough, 'the writes that were let go on are through');
    });
    await goOn('when it is back');
    const ends = await Promise.all(answers.slice(0, POINTS.length).map((answer) => lab.resultsOf(answer)));
    const undisturbed = await stateOf(lab, lab.tenants[UNDISTURBED] ?? '');
    expect(comparable(await stateOf(lab, lab.tenants[UNDISTURBED_UNDO] ?? ''))).toEqual(comparable(like));
    for (const [index, results] of ends.entries()) {
      const { point = '', when } = POINTS[index] ?? {};
      const [tenant = '', end] = [lab.tenants[index], point.startsWith('apply') ? 'Synced' : 'RolledBack'];
      expect([point, when, results.map(({ outcome }) => outcome.status)]).toEqual([point, when, [end]]);
      await expectAtRest(lab, tenant, end === 'Synced' ? undisturbed : like);
    }
  }, 240_000);

  it('has left nothing to do: the same commit again writes nothing', async () => {
    // Each was compared with the undisturbed: one of each sink stands for them.
    const synced = lab.tenants.filter((_, index) => /^apply:.*:after-write$/.test(POINTS[index]?.point ?? '') && POINTS[index]?.when === 'while it is away');
    const before = await Promise.all(synced.map((tenant) => stateOf(lab, tenant)));
    const again = await Promise.all(synced.map((tenant) => lab.sync(api, tenant, second)));
    expect(new Set(again.map(({ status }) => status))).toEqual(new Set(['Unchanged']));
    expect(await Promise.all(synced.map((tenant) => stateOf(lab, tenant)))).toEqual(before);
  }, 90_000);

  /** Whether the writes that wait for nothing but us are through, of the tenants that were let go on while the server is away. */
  async function writesAreThrough(): Promise<boolean> {
    const notes = await lab.stops.notes();
    return POINTS.every(({ point, when }, index) => {
      const [phase = '', sink = '', step = ''] = point.split(':');
      if (when !== 'while it is away' || step !== 'before-write') return true;
      // The first `apply` of a tenant was that of the commit it started from.
      return notes.filter((note) => note === `${lab.tenants[index]} ${phase} ${sink} done`).length === (phase === 'apply' ? 2 : 1);
    });
  }
});
