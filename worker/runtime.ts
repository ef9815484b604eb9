import { makeTelemetryFilterString, Runtime, type LogEntry } from '@temporalio/worker';
import { HEAL_DURATION, HEAL_DURATION_BUCKETS } from '../activities/heal-metrics.ts';
import type { Logger } from '../clients/logger.ts';

export interface RuntimeOptions {
  readonly logger: Logger;
  /** `host:port` of the Prometheus endpoint of the worker's metrics, its own and the SDK's; none if absent. */
  readonly metricsAddress?: string;
}

/** Sends the SDK's logs to ours and opens the metrics. Once per process, before any connection. */
export function installRuntime({ logger, metricsAddress }: RuntimeOptions): void {
  Runtime.install({
    logger: {
      log: (level, message, meta) => write(logger, level, message, meta),
      trace: (message, meta) => write(logger, 'TRACE', message, meta),
      debug: (message, meta) => write(logger, 'DEBUG', message, meta),
      info: (message, meta) => write(logger, 'INFO', message, meta),
      warn: (message, meta) => write(logger, 'WARN', message, meta),
      error: (message, meta) => write(logger, 'ERROR', message, meta),
    },
    shutdownSignals: [],
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
      ...(metricsAddress !== undefined && {
        metrics: {
          prometheus: {
            bindAddress: metricsAddress,
            countersTotalSuffix: true,
            // The SDK's own are of milliseconds.
            histogramBucketOverrides: { [HEAL_DURATION]: HEAL_DURATION_BUCKETS },
          },
        },
      }),
    },
  });
}

const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/** Said of every worker that only holds subscriptions, as if something were missing. */
const EXPECTED = 'No workflows registered';

function write(logger: Logger, level: LogEntry['level'], message: string, meta: Record<string | symbol, unknown> | undefined): void {
  logger[message.startsWith(EXPECTED) ? 'debug' : LEVELS[level]](meta ?? {}, message);
}
