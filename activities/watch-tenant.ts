import { setTimeout as later } from 'node:timers/promises';
import { ApplicationFailure, CancelledFailure, CompleteAsyncError, Context } from '@temporalio/activity';
import type { Bundle } from '../domain/bundle.ts';
import { compareWithLedger } from '../domain/compare-with-ledger.ts';
import { coveredBy } from '../domain/key-glob.ts';
import { SinkError } from '../sinks/errors.ts';
import { checkNowSignal, driftWorkflowId } from '../workflows/messages.ts';
import type { WatchActivities } from './activity-types.ts';
import type { ActivityDeps } from './deps.ts';
import { SUBSCRIPTION_TIMES, type SubscriptionTimes } from './hold-subscription.ts';
import { createLookout } from './lookout.ts';
import type { SubscribedTarget, SubscribedTargets } from './subscribed-targets.ts';
import { createSubscriptions } from './subscriptions.ts';
import { createWakeBatch } from './wake-batch.ts';
import type { WatchObserver } from './watch-observer.ts';

export interface WatchOptions {
  readonly targetsOf: (bundle: Bundle, tenant: string, signal: AbortSignal) => Promise<SubscribedTargets>;
  readonly observer: WatchObserver;
  readonly times?: WatchTimes;
}

export interface WatchTimes extends SubscriptionTimes {
  readonly heartbeatMs: number;
  /** After how long the targets are asked for again. */
  readonly refreshMs: number;
}

export const WATCH_TIMES: WatchTimes = { ...SUBSCRIPTION_TIMES, heartbeatMs: 20_000, refreshMs: 60_000 };

/** How soon another bundle is noticed. */
const LOOK_EVERY_MS = 5_000;

const CLOSING_MS = 2_000;

type WatchDeps = Pick<ActivityDeps, 'bundle' | 'sinks' | 'fingerprint' | 'client'>;

/**
 * The subscriptions of tenants, each held by exactly one worker: whichever has the activity. Nothing rests on them, since the timers of the watch check
 * everything anyway; so whatever fails here is tried again and never told as a failure.
 */
export function createWatchActivities(deps: WatchDeps, options: WatchOptions): WatchActivities {
  /** An attempt that the server has given up goes on until its next heartbeat, unless the new one comes to the same worker. */
  const current = new Map<string, AbortController>();
  return {
    async watchTenant({ tenant }) {
      const context = Context.current();
      const replaced = new AbortController();
      current.get(tenant)?.abort();
      current.set(tenant, replaced);
      const signal = AbortSignal.any([context.cancellationSignal, replaced.signal]);
      try {
        await watch(deps, options, tenant, signal, context);
      } finally {
        if (current.get(tenant) === replaced) current.delete(tenant);
      }
      const { reason } = context.cancellationSignal;
      const why = reason instanceof CancelledFailure ? reason.message : 'REPLACED';
      // The server has given this attempt up, or is about to: it wants no word of it, and the SDK would warn of one.
      if (why === 'REPLACED' || why === 'NOT_FOUND' || why === 'TIMED_OUT') throw new CompleteAsyncError();
      if (why !== 'WORKER_SHUTDOWN') throw reason;
      // Told as a cancellation, which nobody asked for, the server would wait for the end of the heartbeats before another worker gets it.
      throw ApplicationFailure.create({ type: 'WorkerStops', message: 'another worker takes over', category: 'BENIGN', nextRetryDelay: 10 });
    },
  };
}

async function watch(deps: WatchDeps, options: WatchOptions, tenant: string, signal: AbortSignal, context: Context): Promise<void> {
  const { log } = context;
  const times = options.times ?? WATCH_TIMES;
  const told = new Map<string, string>();
  const batch = createWakeBatch({ send: (ids) => signalWatch(deps, tenant, ids, signal), signal });
  const lookout = createLookout({ look: (target) => look(deps, tenant, target, signal), tell: batch.add, signal });
  const subscriptions = createSubscriptions({
    tenant,
    open: (bundle, sink) => deps.sinks.get(bundle, tenant, sink),
    onChange: lookout.touched,
    onProblem(sink, state, error) {
      if (error instanceof SinkError && error.reason === 'unauthorized') deps.sinks.drop(tenant, sink);
      const message = error instanceof Error ? error.message : 'it failed';
      if (told.get(sink) === message) return;
      told.set(sink, message);
      const until = state === 'refused' ? 'its targets are checked by their interval' : 'it is begun again';
      log.warn(`the sink cannot tell of changes now: ${until}`, { tenant, sink, reason: message });
    },
    onStanding(sink) {
      if (told.delete(sink)) log.info('the sink tells of changes again', { tenant, sink });
    },
    observer: options.observer,
    times,
  });

  let bundle: Bundle | undefined;
  let known: readonly SubscribedTarget[] = [];
  let refreshAt = 0;
  let failures = 0;
  let refreshing: Promise<void> | undefined;
  async function refresh(): Promise<void> {
    const asked = deps.bundle();
    const found = await options.targetsOf(asked, tenant, signal).catch((error: unknown) => ({ targets: [], problem: String(error) }));
    if (signal.aborted) return;
    const ids = new Set(found.targets.map(({ id }) => id));
    // What could not be found out now is taken to be as it was.
    known = found.problem === undefined ? found.targets : [...found.targets, ...known.filter(({ id }) => !ids.has(id))];
    lookout.retain(new Set(known.map(({ id }) => id)));
    subscriptions.set(asked, known);
    bundle = asked;
    failures = found.problem === undefined ? 0 : failures + 1;
    refreshAt = performance.now() + (failures === 0 ? times.refreshMs : Math.min(times.firstMs * 2 ** (failures - 1), times.refreshMs));
    if (failures === 1) log.warn('cannot find out all that is to be watched; it is tried again', { tenant, reason: found.problem });
  }

  let beatAt = 0;
  try {
    while (!signal.aborted) {
      // Each is a call to Temporal, for each tenant.
      if (performance.now() >= beatAt) {
        context.heartbeat();
        beatAt = performance.now() + times.heartbeatMs;
      }
      if (!refreshing && (deps.bundle() !== bundle || performance.now() >= refreshAt)) refreshing = refresh().finally(() => (refreshing = undefined));
      await later(Math.min(times.heartbeatMs, LOOK_EVERY_MS), undefined, { signal, ref: false }).catch(() => undefined);
    }
  } finally {
    await refreshing;
    // A sink that hangs must not hold up the worker that takes over; what it tells from here on is not heard.
    await Promise.race([subscriptions.close(), later(CLOSING_MS, undefined, { ref: false })]);
  }
}

/** By the ledger alone: no Git, no schema, no secret. */
async function look({ sinks, bundle, fingerprint }: WatchDeps, tenant: string, target: SubscribedTarget, signal: AbortSignal) {
  try {
    const sink = await sinks.get(bundle(), tenant, target.sink);
    const live = await sink.read(target.place, { signal, keys: [], fingerprint });
    const { policy } = target;
    const { ownership, values: readBack } = target.capabilities;
    return compareWithLedger(
      live,
      { ownership, readBack, prune: policy.prune, isProtected: coveredBy(policy.protect), isIgnored: coveredBy(policy.drift.ignore) },
      fingerprint,
    );
  } catch (error) {
    if (error instanceof SinkError && error.reason === 'unauthorized') sinks.drop(tenant, target.sink);
    throw error;
  }
}

async function signalWatch({ client }: WatchDeps, tenant: string, targets: readonly string[], signal: AbortSignal): Promise<void> {
  await client.withAbortSignal(signal, () => client.workflow.getHandle(driftWorkflowId(tenant)).signal(checkNowSignal, { targets }));
}
