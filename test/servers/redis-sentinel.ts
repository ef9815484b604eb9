import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { programOf } from './program-of.ts';
import { startRedis, type RedisServer } from './redis.ts';
import { startProcess } from './start-process.ts';

export interface SentinelSetup {
  /** What the sentinel calls the primary. */
  readonly name: string;
  /** `redis://127.0.0.1:port` of the sentinel. */
  readonly url: string;
  readonly password: string;
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  /** Clients of the sentinel and of the two servers, as somebody who may do everything. */
  readonly raw: { readonly sentinel: Redis; readonly primary: Redis; readonly replica: Redis };
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 30_000;

/** Starts a primary, its replica and one sentinel with a password, which replaces a primary that is gone for half a second. */
export async function startRedisSentinel(): Promise<SentinelSetup> {
  const [name, password] = ['settings', 'sentinel_secret'];
  const folder = await mkdtemp(join(tmpdir(), 'vartrack-sentinel-'));
  // A replica keeps what it is sent in a file.
  const args = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1', '--dir', folder];
  const primary = await startRedis({ args: [...args, '--dbfilename', 'primary.rdb'] });
  const replica = await startRedis({ args: [...args, '--dbfilename', 'replica.rdb', '--replicaof', '127.0.0.1', String(primary.port)] });
  const raw = [primary, replica].map((server) => clientOf(server.port));
  const [rawPrimary, rawReplica] = raw as [Redis, Redis];
  await until('replicates', async () => (await rawReplica.info('replication')).includes('master_link_status:up'));

  const file = join(folder, 'sentinel.conf');
  const monitored = ['down-after-milliseconds', 'failover-timeout'].map((setting, index) => `sentinel ${setting} ${name} ${[500, 3_000][index]}`);
  await writeFile(file, [`dir ${folder}`, `requirepass ${password}`, `sentinel monitor ${name} 127.0.0.1 ${primary.port} 1`, ...monitored, ''].join('\n'));
  const sentinel = await startProcess({
    program: await programOf('redis'),
    args: (port) => [file, '--sentinel', '--bind', '127.0.0.1', '--port', String(port)],
    ready: async (port) => {
      const client = new Redis({ host: '127.0.0.1', port, password, lazyConnect: true, retryStrategy: () => null });
      client.on('error', () => undefined);
      try {
        return (await client.ping()) === 'PONG';
      } finally {
        client.disconnect();
      }
    },
  });
  const rawSentinel = clientOf(sentinel.port, password);
  await until('knows the replica', async () => String(await rawSentinel.call('SENTINEL', 'REPLICAS', name)).includes(`,${replica.port},`));

  return {
    name,
    password,
    url: `redis://127.0.0.1:${sentinel.port}`,
    primary,
    replica,
    raw: { sentinel: rawSentinel, primary: rawPrimary, replica: rawReplica },
    stop: async () => {
      for (const client of [rawSentinel, rawPrimary, rawReplica]) client.disconnect();
      await Promise.all([sentinel.stop(), primary.stop(), replica.stop()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function clientOf(port: number, password?: string): Redis {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    ...(password === undefined ? {} : { password }),
    retryStrategy: () => 20,
    maxRetriesPerRequest: null,
  });
  client.on('error', () => undefined);
  return client;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`the sentinel setup never ${what}`);
    await delay(25);
  }
}
