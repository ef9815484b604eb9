import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';
import { createBundleHolder } from '../clients/bundle-holder.ts';
import { loadBundle } from '../clients/bundle.ts';
import { createCredentials } from '../clients/credentials.ts';
import { createLogger, type Logger } from '../clients/logger.ts';
import { readSecretFiles } from '../clients/secret-files.ts';
import { retireDriftWatches, wakeDriftWatches } from '../clients/start-drift-watch.ts';
import { connectTemporal, registerSearchAttributes } from '../clients/temporal.ts';
import { parseEnvironment, workerEnvironmentSchema } from '../schemas/environment.ts';
import { sinkDefinitions } from '../sinks/registry.ts';
import { createWorker } from './create-worker.ts';
import { installRuntime } from './runtime.ts';

/** A worker as a process: everything from the environment, until `stop`. */
export async function startWorker(env: Readonly<Record<string, string | undefined>>, log?: Logger) {
  const settings = parseEnvironment(workerEnvironmentSchema, await readSecretFiles(env));
  const logger = log ?? createLogger({ name: 'worker', level: settings.LOG_LEVEL });
  installRuntime({ logger, metricsAddress: `${settings.VARTRACK_METRICS_HOST}:${settings.VARTRACK_METRICS_PORT}` });
  const holder = await createBundleHolder(
    async () => loadBundle(settings.VARTRACK_BUNDLE, sinkDefinitions),
    (outcome, err) => (outcome === 'refused' ? logger.error({ err }, 'the new bundle is refused; the one before goes on') : logger.info('bundle reloaded')),
  );
  const cacheDirectory = settings.VARTRACK_CACHE_DIR ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'vartrack', 'git');
  await mkdir(cacheDirectory, { recursive: true, mode: 0o700 });

  const credentials = createCredentials({ env, baseDirectory: dirname(settings.VARTRACK_BUNDLE) }, holder.current);
  const temporal = await connectTemporal(settings.VARTRACK_CODEC_KEY);
  await registerSearchAttributes(temporal.connection, temporal.namespace);
  const native = await NativeConnection.connect(loadClientConnectConfig().connectionOptions);
  const worker = await createWorker({
    temporal,
    native,
    bundle: holder.current,
    definitions: sinkDefinitions,
    resolveCredential: credentials.resolve,
    secrets: credentials.secrets,
    cacheDirectory,
    taskQueue: settings.VARTRACK_TASK_QUEUE,
    log: (message) => logger.info(message),
    ...(settings.VARTRACK_CODEC_KEY !== undefined && { codecKey: settings.VARTRACK_CODEC_KEY }),
  });
  const tenantsNow = (): string[] => Object.keys(holder.current().tenants);
  await wakeDriftWatches(temporal.client, tenantsNow(), settings.VARTRACK_TASK_QUEUE);
  logger.info({ tenants: tenantsNow().length, namespace: temporal.namespace }, 'worker is polling');
  return {
    running: worker.running,
    async reload() {
      const before = tenantsNow();
      if ((await holder.reload()) === 'refused') return 'refused';
      const now = new Set(tenantsNow());
      try {
        await wakeDriftWatches(temporal.client, [...now], settings.VARTRACK_TASK_QUEUE);
        await retireDriftWatches(
          temporal.client,
          before.filter((tenant) => !now.has(tenant)),
        );
      } catch (err) {
        logger.error(
          { err },
          'the watches could not be told of the new bundle; each goes by it with its next check, and new tenants are watched when a worker starts',
        );
      }
      return 'reloaded';
    },
    async stop() {
      await worker.stop();
      await credentials.close();
      await native.close();
      await temporal.close();
    },
  };
}

/** Runs until SIGTERM or SIGINT; SIGHUP reloads the bundle. */
export async function runWorker(): Promise<void> {
  // From the beginning: a signal that comes just as it begins to poll would end it in the middle of its first work.
  const asked = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  const starting = startWorker(process.env);
  process.on('SIGHUP', () => void starting.then((running) => running.reload()));
  const worker = await starting;
  await Promise.race([asked, worker.running]);
  await worker.stop();
}

if (import.meta.main) await runWorker();
