import { Runtime } from '@temporalio/worker';
import type { SinkName, SinkObserver } from '../activities/guard-sink.ts';

const LEVELS = { closed: 0, 'half-open': 1, open: 2 } as const;

/**
 * Counts the calls of the sinks by kind, and shows the circuits that ever opened by name: tenants and sinks are labels only of what is ill, whose number
 * has a bound.
 */
export function createSinkMetrics(): SinkObserver {
  const meter = Runtime.instance().metricMeter;
  const calls = meter.createCounter('vartrack_sink_calls', '1', 'Calls to sinks, by kind, operation and how they ended');
  const circuits = meter.createGauge('vartrack_sink_circuit_state', 'int', '1', 'Circuits of sinks that were ever open: 0 closed, 1 half-open, 2 open');
  return {
    called: ({ kind }: SinkName, operation, outcome) => calls.add(1, { kind, operation, outcome }),
    circuitChanged: ({ tenant, sink, kind }, state) => circuits.set(LEVELS[state], { tenant, sink, kind }),
  };
}
