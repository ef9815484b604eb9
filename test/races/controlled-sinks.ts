import { sinkDefinitions } from '../../sinks/registry.ts';
import { SinkError } from '../../sinks/errors.ts';
import type { Ledger } from '../../domain/ledger.ts';
import type { WritePlan } from '../../domain/plan.ts';
import type { Place, Sink, SinkContext, SinkDefinition } from '../../sinks/sink.ts';

/** One call of the product to a sink. */
export interface SinkCall {
  readonly kind: string;
  readonly op: 'read' | 'apply' | 'restore';
  readonly place: string;
  /** Of an `apply`: the plan's. */
  readonly commit?: string;
  readonly write?: string;
}

/** A write that got through, in the order of their ends. */
export interface WriteRecord extends SinkCall {
  /** The ledger after it; null where it was removed with the target. */
  readonly ledger: Ledger | null;
  readonly plan?: WritePlan;
  /** What a fresh read said of the place after a restore. */
  readonly after?: ReadonlyMap<string, string | null>;
}

export interface Held {
  /** Resolves when the call is there and waits. */
  readonly reached: Promise<SinkCall>;
  readonly isReached: () => boolean;
  /** Lets it go on; with `unavailable`, before its effect it never happens, after it the answer is lost. Also lets go a call that has not come yet. */
  release(outcome?: 'go' | 'unavailable'): void;
}

export interface SinkControl {
  readonly definitions: Readonly<Record<string, SinkDefinition>>;
  readonly records: WriteRecord[];
  /** Stops the next call that matches, before or after its effect, until it is let go or the product gives it up. */
  hold(when: 'before' | 'after', matches: (call: SinkCall) => boolean): Held;
  /** Makes all calls that match fail as unavailable, before their effect, until the function that it gives is called. */
  cut(matches: (call: SinkCall) => boolean): () => void;
  reset(): void;
}

interface Trap {
  readonly when: 'before' | 'after';
  readonly matches: (call: SinkCall) => boolean;
  readonly spring: (call: SinkCall) => void;
  readonly released: Promise<'go' | 'unavailable'>;
}

/** The product's own sinks on their real servers, with hands on the order of their calls. */
export function controlSinks(): SinkControl {
  const traps = new Set<Trap>();
  const cuts = new Set<(call: SinkCall) => boolean>();
  const records: WriteRecord[] = [];

  async function meet(when: 'before' | 'after', call: SinkCall, signal: AbortSignal): Promise<void> {
    if (when === 'before' && [...cuts].some((matches) => matches(call))) throw new SinkError('unavailable', `${call.place}: cut by the test`);
    const trap = [...traps].find((each) => each.when === when && each.matches(call));
    if (!trap) return;
    traps.delete(trap);
    trap.spring(call);
    // A call that was given up goes on to the server, which finds its signal aborted.
    if ((await Promise.race([trap.released, aborted(signal)])) === 'unavailable') throw new SinkError('unavailable', `${call.place}: held and cut by the test`);
  }

  function controlled(kind: string, sink: Sink): Sink {
    async function around<T>(call: SinkCall, context: SinkContext, act: () => Promise<T>, after: () => Promise<void>): Promise<T> {
      await meet('before', call, context.signal);
      const result = await act();
      await after();
      await meet('after', call, context.signal);
      return result;
    }
    const fresh = (place: Place, context: SinkContext) => sink.read(place, { ...context, signal: AbortSignal.timeout(20_000) });
    return {
      // It lasts, and is no call whose order matters.
      ...(sink.watch && { watch: sink.watch }),
      read: (place, context) => around({ kind, op: 'read', place: place.name }, context, () => sink.read(place, context), nothing),
      apply(place, plan, context) {
        const call: SinkCall = { kind, op: 'apply', place: place.name, commit: plan.ledger.commit, write: plan.ledger.write };
        const record = (): Promise<void> => {
          records.push({ ...call, ledger: plan.content === 'remove' ? null : plan.ledger, plan });
          return Promise.resolve();
        };
        return around(call, context, () => sink.apply(place, plan, context), record);
      },
      restore(place, generation, context) {
        const call: SinkCall = { kind, op: 'restore', place: place.name };
        const record = async (): Promise<void> => {
          const { ledger, entries } = await fresh(place, context);
          records.push({ ...call, ledger, after: entries });
        };
        return around(call, context, () => sink.restore(place, generation, context), record);
      },
      close: () => sink.close(),
    };
  }

  function wrap(definition: SinkDefinition): SinkDefinition {
    return { ...definition, connect: async (options, resolve) => controlled(definition.kind, await definition.connect(options, resolve)) };
  }

  return {
    definitions: Object.fromEntries(Object.entries(sinkDefinitions).map(([kind, definition]) => [kind, wrap(definition as SinkDefinition)])),
    records,
    hold(when, matches) {
      const { promise: reached, resolve: spring } = Promise.withResolvers<SinkCall>();
      const { promise: released, resolve: release } = Promise.withResolvers<'go' | 'unavailable'>();
      let isReached = false;
      const trap: Trap = {
        when,
        matches,
        released,
        spring(call) {
          isReached = true;
          spring(call);
        },
      };
      traps.add(trap);
      return {
        reached,
        isReached: () => isReached,
        release(outcome = 'go') {
          traps.delete(trap);
          release(outcome);
        },
      };
    },
    cut(matches) {
      cuts.add(matches);
      return () => void cuts.delete(matches);
    },
    reset() {
      traps.clear();
      cuts.clear();
      records.length = 0;
    },
  };
}

async function nothing(): Promise<void> {}

function aborted(signal: AbortSignal): Promise<'go'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('go');
    else signal.addEventListener('abort', () => resolve('go'), { once: true });
  });
}
