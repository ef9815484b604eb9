import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import proto from '@temporalio/proto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startDriftWatches } from '../../clients/start-drift-watch.ts';
import { checkNowSignal, driftStateQuery, driftWorkflowId, pauseSignal, resumeSignal, syncWorkflowId, type DriftWatchState } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';
import type { ServerProcess } from '../servers/start-process.ts';
import { startTemporal, type TemporalServer } from '../servers/temporal.ts';
import { comparable, expectAtRest, stateOf, type TenantState } from './at-rest.ts';
import { BUCKET, FIRST, openLab, until, type Lab } from './lab.ts';

/** Where each tenant's watch, or the heal that it began, stands when the server goes. */
const SERVER_POINTS = ['check:end', 'runs:end', 'sync:end', 'apply:cache:before-write', 'apply:cache:end'] as const;
/** And when the worker goes, which also holds all subscriptions. */
const WORKER_POINTS = [
  'check:begin',
  'check:end',
  'runs:begin',
  'runs:end',
  'sync:end',
  'apply:cache:before-write',
  'apply:cache:after-write',
  'apply:files:before-commit',
  'apply:bucket:before-commit',
] as const;
/** In the first push of a tenant, whose run is terminated there. */
const TERMINATED_POINTS = ['apply:bucket:before-object', 'apply:files:before-commit'] as const;
/** What becomes of a watch by hand. */
const ENDED_WATCHES = ['terminated', 'terminated in a pause', 'cancelled in a pause'] as const;
const { EVENT_TYPE_ACTIVITY_TASK_FAILED, EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT, EVENT_TYPE_WORKFLOW_TASK_FAILED } = proto.temporal.api.enums.v1.EventType;
const FAILURES = new Set<unknown>([EVENT_TYPE_ACTIVITY_TASK_FAILED, EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT, EVENT_TYPE_WORKFLOW_TASK_FAILED]);

type SinkName = 'cache' | 'files' | 'bucket';

describeWith(['temporal', 'redis', 'seaweedfs'], 'a watch whose server or worker is killed', () => {
  let scratch: string;
  let temporal: TemporalServer;
  let lab: Lab;
  let api: ServerProcess;
  let worker: ServerProcess;
  let first: string;
  let like: TenantState;
  /** Whose script is killed, too: it cannot clear up after itself; a later write does, after an hour. */
  const littered = new Set<string>();
  const named = (offset: number, count: number): readonly string[] => lab.tenants.slice(offset, offset + count);
  const ofServer = (): readonly string[] => named(0, SERVER_POINTS.length);
  const ofWorker = (): readonly string[] => named(SERVER_POINTS.length, WORKER_POINTS.length);
  const ofEnded = (): readonly string[] => named(SERVER_POINTS.length + WORKER_POINTS.length, ENDED_WATCHES.length);
  const ofTerminated = (): readonly string[] => lab.tenants.slice(-TERMINATED_POINTS.length);

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'vartrack-temporal-'));
    temporal = await startTemporal({ databaseFile: join(scratch, 'temporal.db') });
    const tenants = SERVER_POINTS.length + WORKER_POINTS.length + ENDED_WATCHES.length + TERMINATED_POINTS.length;
    // What is found soon was told, by a sink or by the test.
    lab = await openLab({ tenants, temporal: temporal.address, drift: 'mode: heal, interval: 1h' });
    first = await lab.repository.commit(FIRST);
    [api, worker] = await Promise.all([lab.startApi(), lab.startWorkerWithStops()]);
    const begun = lab.tenants.slice(0, -TERMINATED_POINTS.length);
    await lab.begin(api, begun, first);
    like = await stateOf(lab, lab.tenants[0] ?? '');
    await startDriftWatches(lab.client, lab.tenants, lab.taskQueue);
    await until(async () => (await subscribers(begun)) === begun.length, 'all are watched');
  }, 240_000);
  afterAll(async () => {
    await lab?.close();
    await temporal?.stop();
    await rm(scratch, { recursive: true, force: true });
  }, 60_000);

  it('goes on when the server is back, and heals once', async () => {
    const tenants = ofServer();
    await bringTo(tenants, pointsOf(tenants, SERVER_POINTS));
    await temporal.kill();
    await Promise.all(tenants.map((tenant) => lab.stops.letGo(tenant)));
    temporal = await startTemporal({ databaseFile: join(scratch, 'temporal.db'), port: temporal.port });
    for (const [index, tenant] of tenants.entries()) await expectHealedOnce(tenant, SERVER_POINTS[index] ?? '');
  }, 240_000);

  it('goes on with another worker, which takes over its subscriptions, what a terminated run left half-written, and the pause of a watch that was ended', async () => {
    const [ended, terminated] = [ofEnded(), ofTerminated()];
    for (const [index, tenant] of ended.entries()) {
      if (ENDED_WATCHES[index] !== 'terminated') await pause(tenant);
    }
    const points = { ...pointsOf(ofWorker(), WORKER_POINTS), ...pointsOf(terminated, TERMINATED_POINTS) };
    await bringTo(ofWorker(), points);
    await Promise.all(terminated.map((tenant) => lab.deliver(api, tenant, { commit: first })));
    await lab.stops.held(terminated);
    await Promise.all(terminated.map((tenant) => lab.client.workflow.getHandle(syncWorkflowId(tenant, 'config', 'main')).terminate('by hand')));
    for (const [index, tenant] of ended.entries()) {
      const watch = lab.client.workflow.getHandle(driftWorkflowId(tenant));
      await (ENDED_WATCHES[index]?.startsWith('terminated') === true ? watch.terminate('by hand') : watch.cancel());
      await until(async () => (await watch.describe()).status.name !== 'RUNNING', 'the watch has ended');
      await edit(tenant, 'cache');
    }
    await worker.kill();
    for (const tenant of [...ofWorker(), ...terminated]) if (points[tenant]?.includes(':files:') === true) littered.add(tenant);
    for (const pid of await lab.stops.held([...littered])) killGroup(pid);
    await lab.startWorker();

    for (const [index, tenant] of ofWorker().entries()) await expectHealedOnce(tenant, WORKER_POINTS[index] ?? '');
    for (const [index, tenant] of terminated.entries()) {
      const point = TERMINATED_POINTS[index] ?? '';
      await expectHealed(tenant, sinkAt(point) === 'files' ? { cache: 1, bucket: 1 } : { cache: 1, files: 1 }, point);
    }
    for (const [index, tenant] of ended.entries()) {
      if (ENDED_WATCHES[index] !== 'terminated') {
        await until(async () => (await stateOfWatch(tenant))?.targets.some(({ status }) => status === 'Drifted') === true, 'drift is told in the pause');
        expect(await stateOfWatch(tenant)).toMatchObject({ pause: { by: 'ann' } });
        expect(await lab.redis.hget(`${tenant}:settings`, 'name')).toBe('by hand');
        await lab.client.workflow.getHandle(driftWorkflowId(tenant)).signal(resumeSignal, { by: 'ann' });
      }
      await expectHealed(tenant, { cache: 2, files: 1, bucket: 1 });
    }

    await until(async () => (await subscribers(lab.tenants)) === lab.tenants.length, 'all are watched again, by one worker');
    const some = lab.tenants.filter((_, index) => index % 6 === 0);
    const before = await Promise.all(some.map(async (tenant) => (await stateOf(lab, tenant)).ledgers.cache.generation));
    await Promise.all(some.map((tenant) => edit(tenant, 'cache')));
    for (const [index, tenant] of some.entries()) await expectHealed(tenant, { cache: (before[index] ?? 0) + 1 });
  }, 300_000);

  /** Has every tenant drift, and held at its point; others are held as they come to theirs. */
  async function bringTo(tenants: readonly string[], points: Readonly<Record<string, string>>): Promise<void> {
    const resumed = tenants.filter((tenant) => points[tenant]?.startsWith('sync:'));
    for (const tenant of resumed) {
      await pause(tenant);
      await edit(tenant, 'cache');
      await until(async () => (await stateOfWatch(tenant))?.status === 'Drifted', 'drift is told in the pause');
    }
    await lab.stops.arm(points);
    for (const tenant of tenants) {
      if (resumed.includes(tenant)) await lab.client.workflow.getHandle(driftWorkflowId(tenant)).signal(resumeSignal, { by: 'ann' });
      else await edit(tenant, sinkAt(points[tenant] ?? ''));
    }
    await lab.stops.held(tenants);
  }

  async function edit(tenant: string, sink: SinkName): Promise<void> {
    if (sink === 'cache') await lab.redis.hset(`${tenant}:settings`, 'name', 'by hand');
    else if (sink === 'files') await writeFile(join(lab.directory, 'files', `${tenant}.env`), 'NAME=by hand\n');
    else {
      await lab.s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: `${tenant}/settings.json`, Body: '{"name":"by hand"}' }));
      // S3 tells nothing by itself.
      await lab.client.workflow.getHandle(driftWorkflowId(tenant)).signal(checkNowSignal, { targets: ['settings/production/2'] });
    }
  }

  async function pause(tenant: string): Promise<void> {
    const watch = lab.client.workflow.getHandle(driftWorkflowId(tenant));
    await watch.signal(pauseSignal, { by: 'ann', reason: 'a kill' });
    await until(async () => (await watch.describe()).memo?.['pause'] !== undefined, 'the pause is seen');
  }

  async function expectHealedOnce(tenant: string, point: string): Promise<void> {
    const [sink, others] = [sinkAt(point), { cache: 1, files: 1, bucket: 1 }];
    // What takes several steps begins anew when it was left half-done, and each beginning counts.
    if (sink === 'cache') await expectHealed(tenant, { ...others, cache: 2 }, point);
    else await expectHealed(tenant, Object.fromEntries(Object.entries(others).filter(([name]) => name !== sink)), point);
  }

  /** As Git has it, written as often as the generations of the ledgers say, by runs and a watch whose histories know no failure. */
  async function expectHealed(tenant: string, generations: Partial<Record<SinkName, number>>, point = ''): Promise<void> {
    let [state, watch]: [TenantState | undefined, DriftWatchState | undefined] = [undefined, undefined];
    const isHealed = async (): Promise<boolean> => {
      [state, watch] = [await stateOf(lab, tenant).catch(() => undefined), await stateOfWatch(tenant)];
      return state !== undefined && JSON.stringify(comparable(state)) === JSON.stringify(comparable(like)) && watch?.status === 'InSync' && !watch.busy;
    };
    await until(isHealed, `${tenant} is healed, held at ${point}`, () => JSON.stringify({ state, watch }));
    const found = Object.fromEntries(Object.keys(generations).map((sink) => [sink, state?.ledgers[sink as SinkName].generation]));
    expect({ point, ...found }).toEqual({ point, ...generations });
    await expectAtRest(lab, tenant, like, littered.has(tenant) ? [/\.vartrack\.tmp\./] : []);
    for (const workflowId of [driftWorkflowId(tenant), syncWorkflowId(tenant, 'config', 'main')]) {
      const { events } = await lab.client.workflow.getHandle(workflowId).fetchHistory();
      expect((events ?? []).filter(({ eventType }) => FAILURES.has(eventType))).toEqual([]);
    }
  }

  /** Undefined while nobody answers. */
  async function stateOfWatch(tenant: string): Promise<DriftWatchState | undefined> {
    const handle = lab.client.workflow.getHandle(driftWorkflowId(tenant));
    return lab.client.withDeadline(Date.now() + 20_000, () => handle.query(driftStateQuery)).catch(() => undefined);
  }

  async function subscribers(tenants: readonly string[]): Promise<number> {
    const counts = (await lab.redis.pubsub('NUMSUB', ...tenants.map((tenant) => `__keyspace@0__:${tenant}:settings`))) as readonly unknown[];
    return counts.reduce((sum: number, each) => sum + (typeof each === 'number' ? each : 0), 0);
  }
});

function pointsOf(tenants: readonly string[], points: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(tenants.map((tenant, index) => [tenant, points[index] ?? '']));
}

/** The script of a run that was terminated may be gone: the worker was told, if it lived long enough. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function sinkAt(point: string): SinkName {
  const [, sink] = point.split(':');
  return sink === 'files' || sink === 'bucket' ? sink : 'cache';
}
