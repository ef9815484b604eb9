import { type NativeConnection, Worker, type WorkflowBundle } from '@temporalio/worker';
import { createCheckMemory } from '../activities/check-memory.ts';
import { createActivities } from '../activities/index.ts';
import type { ActivityDeps } from '../activities/deps.ts';
import { createDesiredStates } from '../activities/desired-state.ts';
import { createPauseReader } from '../activities/pause.ts';
import { createSinkPool } from '../activities/sink-pool.ts';
import { subscribedTargets } from '../activities/subscribed-targets.ts';
import { createWatchActivities, type WatchOptions } from '../activities/watch-tenant.ts';
import { createCue } from '../clients/cue/cue.ts';
import { createFingerprint } from '../clients/fingerprint.ts';
import { createGit } from '../clients/git.ts';
import { createDataConverter, type Temporal } from '../clients/temporal.ts';
import { createSecretManagers, type SecretManagers } from '../clients/vault/managers.ts';
import type { Bundle } from '../domain/bundle.ts';
import type { ResolveCredential, SinkDefinition } from '../sinks/sink.ts';
import { bundleWorkflows } from './bundle.ts';
import { createSinkMetrics } from './sink-metrics.ts';
import { createWatchMetrics } from './watch-metrics.ts';

export interface WorkerOptions {
  readonly temporal: Temporal;
  readonly native: NativeConnection;
  readonly bundle: () => Bundle;
  readonly definitions: Readonly<Record<string, SinkDefinition>>;
  readonly resolveCredential: ResolveCredential;
  /** Those that `resolveCredential` reads from, so that a process logs in once at each; the caller closes them. If absent, the worker has its own. */
  readonly secrets?: SecretManagers;
  /** Directory of the Git mirrors; several workers of a machine may share it. */
  readonly cacheDirectory: string;
  readonly codecKey?: string;
  readonly taskQueue: string;
  /** Made once and shared where a process runs several workers. */
  readonly workflowBundle?: WorkflowBundle;
  readonly maxCachedWorkflows?: number;
  /** Activities at the same time. */
  readonly maxActivities?: number;
  readonly log?: (message: string) => void;
}

export interface RunningWorker {
  /** Settles when the worker has stopped; rejects if it stopped by itself. */
  readonly running: Promise<void>;
  /** Takes no more work, lets what is under way finish, and closes every connection of its own. */
  stop(): Promise<void>;
}

/** What the activities of one worker share, and how to let go of it. */
export interface WorkerParts {
  readonly deps: ActivityDeps;
  /** Starts what takes a moment to start. */
  warm(): Promise<void>;
  close(): Promise<void>;
}

/** Wires the activities without a worker. */
export async function createWorkerParts(
  options: Omit<WorkerOptions, 'native' | 'workflowBundle' | 'maxCachedWorkflows' | 'maxActivities'>,
): Promise<WorkerParts> {
  const { temporal, definitions, resolveCredential: resolve, taskQueue } = options;
  const { settings } = options.bundle();
  const fingerprint = createFingerprint(settings.fingerprintKey && (await resolve(settings.fingerprintKey)));
  const git = createGit({
    cacheDirectory: options.cacheDirectory,
    resolve,
    allowFileRepositories: settings.allowFileRepositories,
    ...(options.log && { log: options.log }),
  });
  const cue = createCue();
  const secrets = options.secrets ?? createSecretManagers(options.bundle, resolve);
  const sinks = createSinkPool(definitions, resolve, { observer: createSinkMetrics() });
  return {
    deps: {
      bundle: options.bundle,
      git,
      sinks,
      secrets,
      desired: createDesiredStates({ git, cue, fingerprint, definitions }),
      fingerprint,
      pauseOf: createPauseReader(temporal.client),
      client: temporal.client,
      taskQueue,
      now: () => new Date(),
    },
    warm: () => cue.warm(),
    async close() {
      await Promise.all([sinks.close(), git.close(), cue.close(), options.secrets ? undefined : secrets.close()]);
    },
  };
}

/** Wires the activities and starts a worker on connections that the caller owns. */
export async function createWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { deps, warm, close } = await createWorkerParts(options);
  const [workflowBundle] = await Promise.all([options.workflowBundle ?? bundleWorkflows(options.codecKey === undefined ? 'plain' : 'encrypted'), warm()]);
  const memory = createCheckMemory(deps.git);
  const targetsOf: WatchOptions['targetsOf'] = (bundle, tenant, signal) => subscribedTargets({ ...deps, memory }, options.definitions, bundle, tenant, signal);
  const base = { connection: options.native, namespace: options.temporal.namespace, dataConverter: createDataConverter(options.codecKey) };
  const worker = await Worker.create({
    ...base,
    taskQueue: options.taskQueue,
    workflowBundle,
    activities: { ...createActivities(deps, memory) },
    shutdownGraceTime: '10s',
    shutdownForceTime: '30s',
    // A cancellation reaches an activity with its heartbeats; a newer push waits for no more than this.
    maxHeartbeatThrottleInterval: '1s',
    // Room for several sinks that hang at the same time beside the work of all others: each takes no more of it than its `concurrency`, and calls that
    // wait for that give their place back soon. Git, CUE and the sinks have tighter limits of their own.
    maxConcurrentActivityTaskExecutions: options.maxActivities ?? 200,
    ...(options.maxCachedWorkflows !== undefined && { maxCachedWorkflows: options.maxCachedWorkflows }),
  });
  const watcher = await Worker.create({
    ...base,
    taskQueue: watchQueueOf(options.taskQueue),
    activities: { ...createWatchActivities(deps, { targetsOf, observer: createWatchMetrics() }) },
    // Another worker takes its subscriptions over at once; nothing of them has to come to an end.
    shutdownGraceTime: 0,
    shutdownForceTime: '5s',
    maxHeartbeatThrottleInterval: '5s',
    // One for each tenant, for as long as the worker lives: each is a timer and what its sinks have open.
    maxConcurrentActivityTaskExecutions: 10_000,
    maxConcurrentActivityTaskPolls: 4,
  });
  const workers = [worker, watcher];
  const ends = workers.map((each) => each.run());
  // One that stops by itself must not leave the other at work alone.
  const running = Promise.all(ends).then(() => undefined);
  return {
    running,
    async stop() {
      for (const each of workers) if (each.getState() === 'RUNNING') each.shutdown();
      await Promise.allSettled([...ends, running]);
      await close();
    },
  };
}

/** As DriftWatchWorkflow names it. */
function watchQueueOf(taskQueue: string): string {
  return `${taskQueue}-watch`;
}
