import { dirname } from 'node:path';
import type { Client } from '@temporalio/client';
import { loadBundle } from '../clients/bundle.ts';
import { checkCodecKey } from '../clients/check-codec-key.ts';
import { parseCodecKeys } from '../clients/codec-key.ts';
import { createCredentials } from '../clients/credentials.ts';
import { createLogger, type Logger } from '../clients/logger.ts';
import { readDriftWatch } from '../clients/drift-watch.ts';
import { createPayloadCodec } from '../clients/payload-codec.ts';
import { readSecretFiles } from '../clients/secret-files.ts';
import { startSync } from '../clients/start-sync.ts';
import { connectTemporal, registerSearchAttributes, type Temporal } from '../clients/temporal.ts';
import { InvalidInput } from '../domain/problem.ts';
import { apiEnvironmentSchema, parseEnvironment, type ApiEnvironment } from '../schemas/environment.ts';
import { sinkDefinitions } from '../sinks/registry.ts';
import { createApp, type AppDependencies } from './app.ts';
import { createBundleHolder } from '../clients/bundle-holder.ts';
import { forwardWatchRequest } from './forward-watch-request.ts';
import { startHttpServer } from './http-server.ts';
import { createApiMetrics } from './metrics.ts';
import { serveMetrics } from './metrics-server.ts';
import { DEFAULT_RATE_LIMITS } from './rate-limits.ts';
import type { Started } from './receive-webhook.ts';
import { createTemporalLink } from './temporal-link.ts';

export interface RunningApi {
  readonly url: string;
  readonly metricsUrl: string;
  reload(): Promise<'reloaded' | 'refused'>;
  /** Not ready at once, then drained, then closed. */
  stop(): Promise<void>;
}

/** Wires the api from the environment. Throws InvalidInput for a wrong environment or bundle. */
export async function startApi(env: Readonly<Record<string, string | undefined>>, log?: Logger): Promise<RunningApi> {
  const settings = parseEnvironment(apiEnvironmentSchema, await readSecretFiles(env));
  const logger = log ?? createLogger({ name: 'api', level: settings.LOG_LEVEL });
  const metrics = createApiMetrics();
  const holder = await createBundleHolder(
    async () => loadBundle(settings.VARTRACK_BUNDLE, sinkDefinitions),
    (outcome, err) => {
      metrics.bundleReloads.inc({ outcome });
      if (outcome === 'reloaded') metrics.bundleLoaded.setToCurrentTime();
      if (outcome === 'refused') logger.error({ err }, 'the new bundle is refused; the one before goes on');
      else logger.info('bundle reloaded');
    },
  );
  metrics.bundleLoaded.setToCurrentTime();
  const credentials = createCredentials({ env, baseDirectory: dirname(settings.VARTRACK_BUNDLE) }, holder.current);
  const link = createTemporalLink(async () => {
    const temporal = await connectTemporal(settings.VARTRACK_CODEC_KEY);
    try {
      await registerSearchAttributes(temporal.connection, temporal.namespace);
      await refuseOtherKey(temporal, Object.keys(holder.current().tenants), settings.VARTRACK_CODEC_KEY);
    } catch (error) {
      await temporal.close();
      throw error;
    }
    return temporal;
  }, logger);

  let draining = false;
  const app = createApp({
    bundle: holder.current,
    resolveCredential: credentials.resolve,
    startSync: async (stream, request, signal) => startSync(link.temporal().client, stream, request, { signal, taskQueue: settings.VARTRACK_TASK_QUEUE }),
    probeTemporal: async (signal) => {
      const { connection } = link.temporal();
      await connection.withAbortSignal(signal, () => connection.healthService.check({}));
    },
    ...linkToUi(settings, () => link.temporal().namespace),
    isDraining: () => draining,
    limits: { ...DEFAULT_RATE_LIMITS, ...(settings.VARTRACK_WEBHOOKS_PER_MINUTE && { perRepository: settings.VARTRACK_WEBHOOKS_PER_MINUTE }) },
    ...trustedProxies(settings),
    ...codecEndpoint(settings),
    ...tenantsEndpoint(settings, () => link.temporal().client),
    logger,
    metrics,
  });
  const metricsServer = await startHttpServer(serveMetrics(metrics.registry), { host: settings.VARTRACK_METRICS_HOST, port: settings.VARTRACK_METRICS_PORT });
  const server = await startHttpServer(app, { host: settings.VARTRACK_API_HOST, port: settings.VARTRACK_API_PORT });
  logger.info({ url: server.url, metricsUrl: metricsServer.url, tenants: Object.keys(holder.current().tenants).length }, 'api is listening');

  return {
    url: server.url,
    metricsUrl: metricsServer.url,
    reload: () => holder.reload(),
    async stop() {
      draining = true;
      await server.drain();
      await Promise.all([metricsServer.drain(1_000), link.close(), credentials.close()]);
    },
  };
}

/** Runs until SIGTERM or SIGINT, then ends the process; SIGHUP reloads the bundle. */
export async function runApi(): Promise<never> {
  // From the beginning: a signal that comes while it starts, or just as it says that it listens, would end it without a drain.
  const asked = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  const starting = startApi(process.env);
  process.on('SIGHUP', () => void starting.then((running) => running.reload()));
  const api = await starting;
  await asked;
  await api.stop();
  // An attempt to reach Temporal may be under way and would hold the process until its timeout.
  process.exit(0);
}

/** A push that workers cannot decrypt would stop its stream; a 503 makes the forge send it again. */
async function refuseOtherKey(temporal: Temporal, tenants: readonly string[], codecKey: string | undefined): Promise<void> {
  for (const tenant of tenants) {
    const found = await checkCodecKey(temporal, tenant, codecKey).catch((cause: unknown) => {
      if (cause instanceof InvalidInput) throw cause;
      const advice = 'set the VARTRACK_CODEC_KEY that the workers have';
      throw new Error(`what workers wrote for tenant ${tenant} cannot be read with this key (${codecKey === undefined ? 'none' : 'another'}); ${advice}`, {
        cause,
      });
    });
    if (found === 'agreed') return;
  }
}

function linkToUi({ VARTRACK_UI_URL: base }: ApiEnvironment, namespace: () => string): { linkTo?: (run: Started) => string } {
  if (base === undefined) return {};
  const root = base.replace(/\/+$/, '');
  return { linkTo: ({ workflowId, runId }) => `${root}/namespaces/${encodeURIComponent(namespace())}/workflows/${encodeURIComponent(workflowId)}/${runId}` };
}

function codecEndpoint({ VARTRACK_CODEC_TOKEN: token, VARTRACK_CODEC_KEY: keys, VARTRACK_UI_URL: ui }: ApiEnvironment): Pick<AppDependencies, 'codec'> {
  if (token === undefined || keys === undefined) return {};
  return { codec: { codec: createPayloadCodec(parseCodecKeys(keys)), token, ...(ui !== undefined && { origin: new URL(ui).origin }) } };
}

function tenantsEndpoint(
  { VARTRACK_API_TOKEN: token, VARTRACK_TASK_QUEUE: taskQueue }: ApiEnvironment,
  client: () => Client,
): Pick<AppDependencies, 'tenants'> {
  if (token === undefined) return {};
  return {
    tenants: {
      token,
      readWatch: async (tenant) => readDriftWatch(client(), tenant),
      tellWatch: async (tenant, request) => forwardWatchRequest(client(), { tenant, taskQueue }, request),
    },
  };
}

function trustedProxies({ VARTRACK_TRUSTED_PROXIES: proxies }: ApiEnvironment): { trustedProxies?: string | number } {
  if (proxies === undefined) return {};
  return { trustedProxies: /^\d+$/.test(proxies) ? Number(proxies) : proxies };
}

if (import.meta.main) await runApi();
