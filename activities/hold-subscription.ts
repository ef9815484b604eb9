import { setTimeout as later } from 'node:timers/promises';
import { SinkError } from '../sinks/errors.ts';
import type { Place, Sink } from '../sinks/sink.ts';
import type { SubscriptionState } from './watch-observer.ts';

export interface SubscriptionOptions {
  readonly open: () => Promise<Sink>;
  readonly places: readonly Place[];
  readonly onChange: (place: Place) => void;
  readonly onState: (state: SubscriptionState) => void;
  /** Told of each loss and refusal. */
  readonly onProblem: (state: 'lost' | 'refused', error: unknown) => void;
  readonly signal: AbortSignal;
  readonly times?: SubscriptionTimes;
}

export interface SubscriptionTimes {
  readonly firstMs: number;
  readonly longestMs: number;
  /** One that stood this long was healthy: its loss is the first of a row. */
  readonly healthyMs: number;
  readonly refusedMs: number;
}

export const SUBSCRIPTION_TIMES: SubscriptionTimes = { firstMs: 1_000, longestMs: 60_000, healthyMs: 10_000, refusedMs: 10 * 60_000 };

/** Holds one subscription of a sink until the signal, and begins it again whenever it is lost. Never throws: the timers of the watch are there without it. */
export async function holdSubscription(options: SubscriptionOptions): Promise<void> {
  const { signal, times = SUBSCRIPTION_TIMES } = options;
  let failures = 0;
  while (!signal.aborted) {
    let stoodAt: number | undefined;
    options.onState('beginning');
    const error = await once(() => {
      stoodAt ??= performance.now();
    });
    if (signal.aborted) return;
    const state = isRefusal(error) ? 'refused' : 'lost';
    options.onState(state);
    options.onProblem(state, error);
    failures = stoodAt !== undefined && performance.now() - stoodAt >= times.healthyMs ? 1 : failures + 1;
    const waitMs = state === 'refused' ? times.refusedMs : Math.min(times.firstMs * 2 ** (failures - 1), times.longestMs);
    await later(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
  }

  async function once(stands: () => void): Promise<unknown> {
    try {
      const sink = await options.open();
      if (!sink.watch) return new SinkError('unsupported', 'it cannot tell of changes');
      let isStanding = false;
      const onChange = (place: Place): void => {
        if (signal.aborted) return;
        if (!isStanding) options.onState('standing');
        isStanding = true;
        stands();
        options.onChange(place);
      };
      await sink.watch(options.places, onChange, signal);
      return new SinkError('unavailable', 'the subscription ended by itself');
    } catch (error) {
      return error;
    }
  }
}

/** What only a person can change. */
function isRefusal(error: unknown): boolean {
  return error instanceof SinkError && (error.reason === 'unsupported' || error.reason === 'unauthorized' || error.reason === 'rejected');
}
