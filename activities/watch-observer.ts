/** `beginning`: it does not stand yet. `lost`: to be begun again soon. `refused`: the sink is not set up for it, or forbids it; its targets are polled. */
export type SubscriptionState = 'beginning' | 'standing' | 'lost' | 'refused';

/** Told of every change of a subscription; null is before it was there, and after. */
export interface WatchObserver {
  moved(kind: string, from: SubscriptionState | null, to: SubscriptionState | null): void;
}
