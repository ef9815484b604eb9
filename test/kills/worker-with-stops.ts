// A worker like worker/main.ts, but one that can be held at a point of its work so that the test can kill it exactly there. See stops.ts.
import { heartbeat } from '@temporalio/activity';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createCheckMemory } from '../../activities/check-memory.ts';
import { createActivities } from '../../activities/index.ts';
import { subscribedTargets } from '../../activities/subscribed-targets.ts';
import { createWatchActivities } from '../../activities/watch-tenant.ts';
import type { Activities } from '../../activities/activity-types.ts';
import { loadBundle } from '../../clients/bundle.ts';
import { createCredentialResolver } from '../../clients/credentials.ts';
import { createLogger } from '../../clients/logger.ts';
import { connectTemporal, registerSearchAttributes, type Temporal } from '../../clients/temporal.ts';
import { parseEnvironment, workerEnvironmentSchema } from '../../schemas/environment.ts';
import { bundleWorkflows } from '../../worker/bundle.ts';
import { createWorkerParts } from '../../worker/create-worker.ts';
import { installRuntime } from '../../worker/runtime.ts';
import { syncWorkflowId } from '../../workflows/messages.ts';
import { createStops, type Stops } from './stops.ts';
import { stoppingSinks } from './stopping-sinks.ts';

const BEAT_INTERVAL_MS = 3_000;

async function run(env: NodeJS.ProcessEnv): Promise<void> {
  const settings = parseEnvironment(workerEnvironmentSchema, env);
  const { VARTRACK_BUNDLE: path, VARTRACK_TASK_QUEUE: taskQueue, VARTRACK_METRICS_HOST: host, VARTRACK_METRICS_PORT: port } = settings;
  installRuntime({ logger: createLogger({ name: 'worker', level: settings.LOG_LEVEL }), metricsAddress: `${host}:${port}` });
  const stops = createStops(env['KILLS_DIRECTORY'] ?? '');
  const definitions = stoppingSinks(stops);
  const bundle = await loadBundle(path, definitions);
  const temporal = await connectTemporal(undefined);
  await registerSearchAttributes(temporal.connection, temporal.namespace);
  const resolveCredential = createCredentialResolver({ env, baseDirectory: '/' });
  const cacheDirectory = settings.VARTRACK_CACHE_DIR ?? '';
  const { deps } = await createWorkerParts({ temporal, bundle: () => bundle, definitions, resolveCredential, cacheDirectory, taskQueue });
  const base = { connection: await NativeConnection.connect({ address: env['TEMPORAL_ADDRESS'] ?? '' }), namespace: temporal.namespace };
  const memory = createCheckMemory(deps.git);
  const worker = await Worker.create({
    ...base,
    taskQueue,
    workflowBundle: await bundleWorkflows('plain'),
    activities: { ...stoppingActivities(createActivities(deps, memory), stops, temporal) },
    maxHeartbeatThrottleInterval: '1s',
    maxConcurrentActivityTaskExecutions: 200,
  });
  const watcher = await Worker.create({
    ...base,
    taskQueue: `${taskQueue}-watch`,
    activities: {
      ...createWatchActivities(deps, {
        targetsOf: (current, tenant, signal) => subscribedTargets({ ...deps, memory }, definitions, current, tenant, signal),
        observer: { moved: () => undefined },
      }),
    },
  });
  await Promise.all([worker.run(), watcher.run()]);
}

/** Points: `<prepare|check|sync|runs>:<begin|end>`, `<apply|restore>:<sink>:<begin|end>`, `report:<begin|end>`. */
function stoppingActivities(real: Activities, stops: Stops, temporal: Temporal): Activities {
  async function around<T>(tenant: string, point: string, beats: boolean, act: () => Promise<T>): Promise<T> {
    const beating = beats ? setInterval(() => heartbeat({ wrote: 'unknown', ended: false }), BEAT_INTERVAL_MS) : undefined;
    try {
      await stops.at(tenant, `${point}:begin`);
    } finally {
      clearInterval(beating);
    }
    const result = await act().finally(() => stops.note(`${tenant} ${point} ended`));
    const beatingAgain = beats ? setInterval(() => heartbeat({ wrote: 'unknown', ended: false }), BEAT_INTERVAL_MS) : undefined;
    try {
      await stops.at(tenant, `${point}:end`);
    } finally {
      clearInterval(beatingAgain);
    }
    return result;
  }

  return {
    ...real,
    prepare: (input) => around(input.tenant, 'prepare', true, () => real.prepare(input)),
    checkTenant: (input) => around(input.tenant, 'check', true, () => real.checkTenant(input)),
    requestSync: (input) => around(input.tenant, 'sync', true, () => real.requestSync(input)),
    startRuns: (input) => around(input.tenant, 'runs', true, () => real.startRuns(input)),
    report: (input) => around(input.tenant, 'report', false, () => real.report(input)),
    restoreTarget: (input) => around(input.tenant, `restore:${input.target.sink}`, true, () => real.restoreTarget(input)),
    applyTarget: (input) =>
      around(input.tenant, `apply:${input.target.sink}`, true, async () => {
        // The gate fails for good when everything else is written: only then is there something to undo everywhere.
        if (input.target.sink === 'gate') await othersAreDone(temporal, syncWorkflowId(input.tenant, input.repository, input.stream));
        return real.applyTarget(input);
      }),
  };
}

async function othersAreDone(temporal: Temporal, workflowId: string): Promise<void> {
  const handle = temporal.client.workflow.getHandle(workflowId);
  for (;;) {
    const { raw } = await handle.describe();
    if ((raw.pendingActivities ?? []).length <= 1) return;
    heartbeat({ wrote: 'no', ended: false });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

if (import.meta.main) await run(process.env);
