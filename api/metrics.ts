import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface ApiMetrics {
  readonly registry: Registry;
  readonly webhooks: Counter<'provider' | 'outcome'>;
  readonly duration: Histogram<'outcome'>;
  readonly inFlight: Gauge;
  readonly bundleLoaded: Gauge;
  readonly bundleReloads: Counter<'outcome'>;
}

/** Tenants and repositories are not labels: their number has no bound that a metrics store would like. The logs have them. */
export function createApiMetrics(): ApiMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    webhooks: new Counter({
      name: 'vartrack_webhooks_total',
      help: 'Webhooks by provider (`unknown` before it is known) and what was answered',
      labelNames: ['provider', 'outcome'],
      registers,
    }),
    duration: new Histogram({
      name: 'vartrack_webhook_duration_seconds',
      help: 'Time from the head of the request to the answer',
      labelNames: ['outcome'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    inFlight: new Gauge({ name: 'vartrack_webhooks_in_flight', help: 'Webhooks that are being answered', registers }),
    bundleLoaded: new Gauge({ name: 'vartrack_bundle_loaded_timestamp_seconds', help: 'When the running bundle was loaded', registers }),
    bundleReloads: new Counter({
      name: 'vartrack_bundle_reloads_total',
      help: 'Reloads of the bundle; after `refused` the one before is still running',
      labelNames: ['outcome'],
      registers,
    }),
  };
}
