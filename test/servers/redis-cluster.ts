import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Certificates } from './certificates.ts';
import { freePort } from './free-port.ts';
import { startRedis, type RedisServer } from './redis.ts';

export interface ClusterNode {
  readonly port: number;
  readonly id: string;
  /** A client of this node alone, as somebody who may do everything. */
  readonly raw: Redis;
  /** SIGKILL, as a crash would be. */
  kill(): Promise<void>;
}

export interface RedisCluster {
  /** Three, each with a third of the slots. */
  readonly primaries: readonly ClusterNode[];
  /** One for each primary, in the same order, if they were asked for. */
  readonly replicas: readonly ClusterNode[];
  /** `redis://127.0.0.1:port` of the primaries; `rediss` with the port of TLS where there is TLS. */
  readonly urls: readonly string[];
  /** Kills all nodes. */
  kill(): Promise<void>;
  /** Starts all nodes again at their ports: with the slots they had, and without data. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 30_000;
const PRIMARIES = 3;
const SLOTS = 16_384;

/** Starts a cluster of real servers on 127.0.0.1. A primary that is gone for a second is replaced by its replica. */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const { tls } = options;
  const count = options.replicas === true ? 2 * PRIMARIES : PRIMARIES;
  const members = await Promise.all(Array.from({ length: count }, () => startMember(tls)));
  const nodes = members.map(({ node }) => node);
  const stop = async (): Promise<void> => void (await Promise.all(members.map((member) => member.stop())));
  try {
    const [first] = members;
    if (!first) throw new Error('a cluster has nodes');
    const primaries = members.slice(0, PRIMARIES);
    const share = Math.ceil(SLOTS / PRIMARIES);
    await Promise.all(
      primaries.map(async ({ node: { raw } }, index) => {
        await raw.call('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
        await raw.call('CLUSTER', 'ADDSLOTSRANGE', String(index * share), String(Math.min((index + 1) * share, SLOTS) - 1));
      }),
    );
    for (const { announced, busPort } of members.slice(1)) await first.node.raw.call('CLUSTER', 'MEET', '127.0.0.1', String(announced), String(busPort));
    await until('knows its nodes', async () => (await infoOf(nodes)).every((info) => info.includes(`cluster_known_nodes:${count}`)));
    await Promise.all(members.slice(PRIMARIES).map(({ node: { raw } }, index) => raw.call('CLUSTER', 'REPLICATE', primaries[index]?.node.id ?? '')));
    await until('is up', () => isUp(nodes));
    await until('replicates', async () =>
      (await Promise.all(nodes.slice(PRIMARIES).map(({ raw }) => raw.info('replication')))).every((info) => info.includes('master_link_status:up')),
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    primaries: nodes.slice(0, PRIMARIES),
    replicas: nodes.slice(PRIMARIES),
    urls: members.slice(0, PRIMARIES).map(({ announced }) => `${tls ? 'rediss' : 'redis'}://127.0.0.1:${announced}`),
    kill: async () => void (await Promise.all(nodes.map((node) => node.kill()))),
    start: async () => {
      await Promise.all(members.map((member) => member.start()));
      await until('is up again', () => isUp(nodes));
    },
    stop,
  };
}

export interface RedisClusterOptions {
  readonly replicas?: boolean;
  /** The nodes then speak TLS with each other and with clients, who need a certificate too; `raw` stays without. */
  readonly tls?: Certificates;
}

interface Member {
  readonly node: ClusterNode;
  /** Port that nodes name to clients. */
  readonly announced: number;
  readonly busPort: number;
  start(): Promise<void>;
  stop(): Promise<void>;
}

async function startMember(tls: Certificates | undefined): Promise<Member> {
  const folder = await mkdtemp(join(tmpdir(), 'vartrack-cluster-'));
  // Redis would take the port 10,000 above, which may be one of the kernel's for outgoing connections.
  const busPort = await freePort();
  const timing = ['--cluster-node-timeout', '1000', '--cluster-replica-validity-factor', '0', '--repl-diskless-sync-delay', '0'];
  const tlsPort = await freePort();
  const files = tls ? ['--tls-cert-file', tls.server.cert, '--tls-key-file', tls.server.key, '--tls-ca-cert-file', tls.ca, '--tls-auth-clients', 'yes'] : [];
  const secured = tls ? ['--tls-port', String(tlsPort), '--tls-cluster', 'yes', ...files] : [];
  const args = ['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--dir', folder, ...timing, ...secured];
  let server: RedisServer = await startRedis({ args });
  const { port } = server;
  const raw = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 20, maxRetriesPerRequest: null });
  raw.on('error', () => undefined);
  const id = await raw.cluster('MYID');
  return {
    node: { port, id, raw, kill: () => server.kill() },
    announced: tls ? tlsPort : port,
    busPort,
    start: async () => {
      server = await startRedis({ args, port });
    },
    stop: async () => {
      raw.disconnect();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function isUp(nodes: readonly ClusterNode[]): Promise<boolean> {
  return (await infoOf(nodes)).every((info) => info.includes('cluster_state:ok') && info.includes(`cluster_slots_ok:${SLOTS}`));
}

function infoOf(nodes: readonly ClusterNode[]): Promise<string[]> {
  return Promise.all(nodes.map(({ raw }) => raw.cluster('INFO')));
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`the cluster never ${what}`);
    await delay(25);
  }
}
