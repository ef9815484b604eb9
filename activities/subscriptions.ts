import type { Bundle } from '../domain/bundle.ts';
import type { Place, Sink } from '../sinks/sink.ts';
import { holdSubscription, SUBSCRIPTION_TIMES, type SubscriptionTimes } from './hold-subscription.ts';
import type { SubscribedTarget } from './subscribed-targets.ts';
import type { SubscriptionState, WatchObserver } from './watch-observer.ts';

/** The subscriptions of one tenant, one for each sink. */
export interface Subscriptions {
  /** From now on these targets are watched. What stands and is to stay stays; one whose places or connection changed is begun again. */
  set(bundle: Bundle, targets: readonly SubscribedTarget[]): void;
  /** Ends all, and resolves when nothing of them is left. */
  close(): Promise<void>;
}

export interface SubscriptionsOptions {
  readonly tenant: string;
  readonly open: (bundle: Bundle, sink: string) => Promise<Sink>;
  readonly onProblem: (sink: string, state: 'lost' | 'refused', error: unknown) => void;
  readonly onStanding: (sink: string) => void;
  readonly onChange: (target: SubscribedTarget) => void;
  readonly observer: WatchObserver;
  readonly times?: SubscriptionTimes;
}

interface Subscription {
  /** What it watches over which connection; another text is another subscription. */
  readonly subject: string;
  readonly controller: AbortController;
  bundle: Bundle;
  /** Renewed without beginning again: what a change of a place means may change with the bundle. */
  targets: ReadonlyMap<string, readonly SubscribedTarget[]>;
  state: SubscriptionState | null;
  readonly ended: Promise<void>;
}

export function createSubscriptions(options: SubscriptionsOptions): Subscriptions {
  const { tenant, observer, times = SUBSCRIPTION_TIMES } = options;
  const held = new Map<string, Subscription>();
  const ending = new Set<Promise<void>>();

  function begin(bundle: Bundle, sink: string, subject: string, targets: readonly SubscribedTarget[]): void {
    const kind = targets[0]?.kind ?? '';
    const controller = new AbortController();
    const move = (state: SubscriptionState | null): void => {
      if (state === subscription.state) return;
      observer.moved(kind, subscription.state, state);
      subscription.state = state;
      if (state === 'standing') options.onStanding(sink);
    };
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const subscription: Subscription = { subject, bundle, controller, targets: byPlace(targets), state: null, ended };
    held.set(sink, subscription);
    void hold();

    async function hold(): Promise<void> {
      await holdSubscription({
        open: () => options.open(bundle, sink),
        places: [...subscription.targets.values()].flatMap(([target]) => (target ? [target.place] : [])),
        onChange: (place) => {
          for (const target of subscription.targets.get(placeKey(place)) ?? []) options.onChange(target);
        },
        onState: move,
        onProblem: (state, error) => options.onProblem(sink, state, error),
        signal: controller.signal,
        times,
      });
      move(null);
      end();
    }
  }

  function drop(sink: string): void {
    const subscription = held.get(sink);
    if (!subscription) return;
    held.delete(sink);
    subscription.controller.abort();
    ending.add(subscription.ended);
    void subscription.ended.then(() => ending.delete(subscription.ended));
  }

  return {
    set(bundle, targets) {
      const wanted = Map.groupBy(targets, (target) => target.sink);
      for (const sink of held.keys()) if (!wanted.has(sink)) drop(sink);
      for (const [sink, group] of wanted) {
        const subject = JSON.stringify([bundle.tenants[tenant]?.sinks[sink], group.map(({ place }) => placeKey(place)).toSorted()]);
        const current = held.get(sink);
        // A reload is the moment to try again what was refused: the person who set the sink up for it has just done so.
        const stays = current?.subject === subject && (current.bundle === bundle || current.state === 'standing');
        if (current && stays) {
          current.targets = byPlace(group);
          current.bundle = bundle;
          continue;
        }
        drop(sink);
        begin(bundle, sink, subject, group);
      }
    },
    async close() {
      for (const sink of held.keys()) drop(sink);
      await Promise.all(ending);
    },
  };
}

function byPlace(targets: readonly SubscribedTarget[]): ReadonlyMap<string, readonly SubscribedTarget[]> {
  return Map.groupBy(targets, ({ place }) => placeKey(place));
}

function placeKey({ name, layout }: Place): string {
  return JSON.stringify([layout, name]);
}
