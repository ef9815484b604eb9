import { Runtime } from '@temporalio/worker';
import type { SubscriptionState, WatchObserver } from '../activities/watch-observer.ts';

/** Shows how many subscriptions of sinks this worker holds, by kind and state. */
export function createWatchMetrics(): WatchObserver {
  const gauge = Runtime.instance().metricMeter.createGauge('vartrack_watches', 'int', '1', 'Subscriptions to changes in sinks that this worker holds');
  const counts = new Map<string, number>();

  function add(kind: string, state: SubscriptionState, change: 1 | -1): void {
    const key = `${kind}/${state}`;
    const count = (counts.get(key) ?? 0) + change;
    counts.set(key, count);
    gauge.set(count, { kind, state });
  }

  return {
    moved(kind, from, to) {
      if (from) add(kind, from, -1);
      if (to) add(kind, to, 1);
    },
  };
}
