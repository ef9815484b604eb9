import { abandoned, admit, closedCircuit, retryAt, unanswered, type Circuit, type CircuitPolicy, type Leave } from '../domain/circuit-breaker.ts';
import { SinkError, type SinkErrorReason } from '../sinks/errors.ts';
import type { Place, Sink, SinkContext } from '../sinks/sink.ts';
import { createBulkhead } from './bulkhead.ts';
import type { SinkLink } from './sink-link.ts';

/** What one connection is called, for messages and metrics. */
export interface SinkName {
  readonly tenant: string;
  readonly sink: string;
  readonly kind: string;
}

export type CallOutcome = 'ok' | SinkErrorReason | 'cancelled' | 'unexpected' | 'refused-busy' | 'refused-open';

/** Told of every call, and of every change of a circuit. */
export interface SinkObserver {
  called(name: SinkName, operation: 'read' | 'apply' | 'restore', outcome: CallOutcome): void;
  circuitChanged(name: SinkName, state: Circuit['state']): void;
}

export interface Guards {
  readonly concurrency: number;
  readonly patienceMs: number;
  readonly circuit: CircuitPolicy;
  readonly now: () => number;
  readonly observer?: SinkObserver;
}

/** A longer wait than that of a write's own retries would let a rule's time run out in the middle of it. */
const LONGEST_RETRY_MS = 10_000;
const SHORTEST_RETRY_MS = 500;

/**
 * The sink behind a bulkhead and a circuit breaker. What is turned away was certainly not tried, and is told as a failure that may pass, so that the wait
 * for the next try is Temporal's and takes no place among the worker's activities.
 */
export function guardSink(name: SinkName, link: SinkLink, guards: Guards): Omit<Sink, 'close' | 'watch'> {
  const { circuit: policy, now, observer } = guards;
  const label = `tenant ${name.tenant}, sink ${name.sink}`;
  let circuit = closedCircuit;
  let lastFailure = '';
  /** Places where nobody answered since anybody did anywhere, and where that was. */
  const silent = new Set<string>();
  let lastAnswer: string | undefined;

  const bulkhead = createBulkhead({
    slots: guards.concurrency,
    patienceMs: guards.patienceMs,
    refuse: (why) =>
      why === 'aborted'
        ? new SinkError('unavailable', `${label}: the call was cancelled while it waited for its turn`)
        : new SinkError(
            'throttled',
            `${label}: all ${guards.concurrency} calls that it may have at the same time hang; the next try is later (a larger concurrency of the sink helps where it is only slow)`,
          ),
  });

  function move(next: Circuit): void {
    const changed = next.state !== circuit.state;
    circuit = next;
    if (changed) observer?.circuitChanged(name, next.state);
  }

  function refusal(): SinkError {
    const at = now();
    const since = circuit.state === 'closed' ? at : circuit.since;
    const next = Math.max(retryAt(circuit, policy), at);
    const wait = Math.min(Math.max(next - at, SHORTEST_RETRY_MS), LONGEST_RETRY_MS);
    const trying = circuit.state === 'half-open' ? 'one call is finding out whether it is back' : `the next try is at ${new Date(next).toISOString()}`;
    return new SinkError(
      'unavailable',
      `${label}: circuit open: no answer since ${new Date(since).toISOString()}, ${trying}; the last failure was: ${lastFailure}`,
      {
        // Not all at the same moment.
        retryAfterMs: Math.round(wait * (1 + Math.random() / 5)),
      },
    );
  }

  /** One place that fails while another answered last may be ill by itself, such as a file that is locked: that is no reason to keep off the others. */
  function isAlone(): boolean {
    return silent.size === 1 && lastAnswer !== undefined && !silent.has(lastAnswer);
  }

  function heard(place: string): Circuit {
    silent.clear();
    lastAnswer = place;
    return closedCircuit;
  }

  async function call<T>({ name: place }: Place, signal: AbortSignal, act: (sink: Sink) => Promise<T>): Promise<T> {
    const { leave, circuit: next } = admit(circuit, now(), policy);
    if (leave === 'refused') throw refusal();
    move(next);
    let verdict: (leave: Leave) => Circuit = (mine) => abandoned(circuit, mine, now());
    try {
      const result = await link.use(act);
      verdict = () => heard(place);
      return result;
    } catch (error) {
      if (error instanceof SinkError && !signal.aborted) {
        if (error.reason === 'unavailable') {
          lastFailure = error.message;
          silent.add(place);
          if (circuit.state !== 'closed' || !isAlone()) verdict = (mine) => unanswered(circuit, mine, now(), policy);
        } else verdict = () => heard(place);
      }
      throw error;
    } finally {
      move(verdict(leave));
    }
  }

  async function guarded<T>(operation: 'read' | 'apply' | 'restore', place: Place, { signal }: SinkContext, act: (sink: Sink) => Promise<T>): Promise<T> {
    let tried = false;
    try {
      // No queueing for what would be refused at its head.
      if (now() < retryAt(circuit, policy)) throw refusal();
      const result = await bulkhead.run(signal, () => {
        if (now() < retryAt(circuit, policy)) throw refusal();
        tried = true;
        return call(place, signal, act);
      });
      observer?.called(name, operation, 'ok');
      return result;
    } catch (error) {
      observer?.called(name, operation, outcomeOf(error, signal, tried));
      throw error;
    }
  }

  return {
    read: (place, context) => guarded('read', place, context, (sink) => sink.read(place, context)),
    apply: (place, plan, context) => guarded('apply', place, context, (sink) => sink.apply(place, plan, context)),
    restore: (place, generation, context) => guarded('restore', place, context, (sink) => sink.restore(place, generation, context)),
  };
}

function outcomeOf(error: unknown, signal: AbortSignal, tried: boolean): CallOutcome {
  if (signal.aborted) return 'cancelled';
  if (!(error instanceof SinkError)) return 'unexpected';
  if (tried) return error.reason;
  return error.reason === 'throttled' ? 'refused-busy' : 'refused-open';
}
