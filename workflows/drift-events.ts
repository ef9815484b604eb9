import { log, metricMeter } from '@temporalio/workflow';
import type { WatchState } from '../domain/drift.ts';
import { isAdrift } from '../domain/watch-state.ts';
import type { WatchEvent } from '../domain/watch-check.ts';

const STATUSES = ['Contested', 'Drifted', 'Unknown', 'Healing', 'Syncing', 'Pending', 'Unverifiable', 'InSync'] as const;

/** Tells logs and metrics what is new. Neither happens again when a workflow is replayed. */
export function tellEvents(tenant: string, events: readonly WatchEvent[]): void {
  const drifts = metricMeter.createCounter('vartrack_drift', '1', 'Times that a target was found adrift, by kind of sink and mode');
  for (const { kind, target } of events) {
    const names = { target: target.id, sink: target.sink, place: target.place };
    const keys = (target.keys ?? []).map(({ key, drift }) => `${drift} ${key}`);
    if (kind === 'drifted') {
      drifts.add(1, { tenant, kind: target.kind, mode: target.mode });
      (target.mode === 'warn' ? log.warn : log.info)('drift', { tenant, ...names, keys, moreKeys: target.moreKeys ?? 0, why: target.message });
    } else if (kind === 'contested') {
      log.warn(
        'something changes a target back after each heal, or its heals fail: it is left alone until nothing has changed there for ten minutes, or "vartrack heal"',
        {
          tenant,
          ...names,
          keys,
          heals: target.heals,
        },
      );
    } else log.info('drift is over', { tenant, ...names, since: target.since });
  }
}

/** How the targets stand, as numbers. */
export function measureTargets(tenant: string, state: WatchState, now: number): void {
  const info = metricMeter.createGauge('vartrack_target_info', 'int', '1', 'Targets of a tenant by status');
  const age = metricMeter.createGauge('vartrack_drift_age_seconds', 'float', 's', 'Since when the target that is adrift longest is so; 0 where none is');
  const targets = state.groups.flatMap((group) => group.targets);
  const more = state.groups.reduce((sum, group) => sum + group.more, 0);
  for (const status of STATUSES) {
    // What is left out of the lists is what is best.
    info.set(targets.filter((target) => target.status === status).length + (status === 'InSync' ? more : 0), { tenant, status });
  }
  const since = targets.flatMap((target) => (isAdrift(target.status) && target.since !== undefined ? [Date.parse(target.since)] : []));
  age.set(Math.max(0, now - since.reduce((a, b) => Math.min(a, b), now)) / 1_000, { tenant });
}
