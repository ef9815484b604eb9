import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/servers/free-port.ts';
import { startChild, type Child, type ChildOptions } from '../dev/child-process.ts';

const READY_WITHIN_MS = 60_000;

/** A process of the demo was gone before the demo was over; the message has its last lines. */
export class ServiceEnded extends Error {
  override readonly name = 'ServiceEnded';
}

/** The demo's processes: each writes its log to a file, and all end together. */
export interface Services {
  readonly children: readonly Child[];
  start(options: ChildOptions): Child;
  /** Rejects when one ends by itself. */
  readonly broken: Promise<never>;
  /** Ends them in order, the last one first; nothing is started any more. */
  stop(): Promise<void>;
  kill(): void;
}

export function createServices(logDirectory: string): Services {
  const children: Child[] = [];
  const broken = Promise.withResolvers<never>();
  // Whoever is not waiting for it is not to be ended by it.
  broken.promise.catch(() => undefined);
  let closing = false;
  return {
    children,
    broken: broken.promise,
    start(options) {
      if (closing) throw new Error('the demo is being ended');
      const log = createWriteStream(join(logDirectory, `${options.name.toLowerCase()}.log`), { flags: 'a', mode: 0o600 });
      const child = startChild({ ...options, onOutput: (text) => log.write(text) });
      children.push(child);
      void child.gone.then((how) => {
        log.end();
        if (!closing) broken.reject(new ServiceEnded(`${child.name} ended by itself (${how}):\n${child.tail(20)}`));
      });
      return child;
    },
    async stop() {
      closing = true;
      for (const child of children.toReversed()) await child.stop();
    },
    kill() {
      closing = true;
      for (const child of children) child.kill();
    },
  };
}

/** Gives the address of an empty Redis without persistence, which tells of changes. */
export async function startRedis(services: Services, program: string, directory: string): Promise<{ url: string; port: number }> {
  const port = await freePort();
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no', '--notify-keyspace-events', 'Kg$hxe', '--dir', directory];
  await services.start({ name: 'Redis', program, args }).prints(/ready to accept connections/i, READY_WITHIN_MS);
  return { url: `redis://127.0.0.1:${port}`, port };
}

export interface VarTrackOptions {
  readonly bundle: string;
  readonly cacheDirectory: string;
  readonly uiUrl: string;
  readonly webhookSecret: string;
}

/** Starts api and worker on ports of the system's choice, and gives the api's address; `reload` has the worker read the bundle again. */
export async function startVarTrack(services: Services, options: VarTrackOptions): Promise<{ apiUrl: string; reload: () => void }> {
  const shared = { ...process.env, VARTRACK_BUNDLE: options.bundle, VARTRACK_METRICS_HOST: '127.0.0.1', VARTRACK_METRICS_PORT: '0' };
  const main = (folder: string): string[] => [join(import.meta.dirname, '../..', folder, 'main.ts')];
  const worker = services.start({
    name: 'worker',
    program: process.execPath,
    args: main('worker'),
    env: { ...shared, VARTRACK_CACHE_DIR: options.cacheDirectory },
  });
  const api = services.start({
    name: 'api',
    program: process.execPath,
    args: main('api'),
    env: {
      ...shared,
      VARTRACK_API_HOST: '127.0.0.1',
      VARTRACK_API_PORT: '0',
      VARTRACK_UI_URL: options.uiUrl,
      ACME_WEBHOOK_SECRET: options.webhookSecret,
    },
  });
  const [listening] = await Promise.all([
    api.prints(/"url":"([^"]+)".*api is listening/, READY_WITHIN_MS),
    worker.prints(/worker is polling/, READY_WITHIN_MS),
  ]);
  return { apiUrl: listening[1] ?? '', reload: () => void process.kill(worker.pid, 'SIGHUP') };
}
