import { Cluster, Redis } from 'ioredis';
import { redis } from '../../sinks/redis.ts';
import { makeCertificates } from '../servers/certificates.ts';
import { describeWith } from '../servers/describe-with.ts';
import { freePort } from '../servers/free-port.ts';
import { startRedisCluster } from '../servers/redis-cluster.ts';
import { startRedis } from '../servers/redis.ts';
import { describeSinkContract, type Bench } from './contract.ts';
import { createBench, type Layout } from './redis/bench.ts';

// The 10,000 keys are written without TLS, by the same code.
const large = { keys: 200, characters: 10_000 };

describeWith('redis', 'the redis sink over TLS with a client certificate', () => {
  for (const layout of ['hash', 'keys', 'json'] as const) {
    describeSinkContract(layout, {
      definition: redis,
      destination: { layout },
      large,
      values: 'together',
      cannot: { outage: 'it is the one of a server without TLS' },
      start: () => startBench(layout),
    });
  }
});

describeWith('redis', 'the redis sink on a cluster over TLS with a client certificate', () => {
  for (const layout of ['hash', 'keys', 'json'] as const) {
    describeSinkContract(layout, { definition: redis, destination: { layout }, large, values: 'together', start: () => startClusterBench(layout) });
  }
});

async function startClusterBench(layout: Layout): Promise<Bench> {
  const certificates = await makeCertificates();
  const { ca, client } = certificates;
  const cluster = await startRedisCluster({ tls: certificates });
  const raw = new Cluster(cluster.primaries.map(({ port }) => ({ host: '127.0.0.1', port })));
  raw.on('error', () => undefined);
  return createBench(layout, {
    raw,
    servers: cluster.primaries.map((node) => node.raw),
    options: (port) => ({
      cluster: { nodes: port === undefined ? cluster.urls : [`rediss://127.0.0.1:${port}`] },
      tls: { ca: { file: ca }, cert: { file: client.cert }, key: { file: client.key }, servername: 'redis.test' },
    }),
    outage: { begin: () => cluster.kill(), end: () => cluster.start() },
    stop: async () => {
      await cluster.stop();
      await certificates.remove();
    },
  });
}

async function startBench(layout: Layout): Promise<Bench> {
  const certificates = await makeCertificates();
  const tlsPort = await freePort();
  const { ca, server: own, client } = certificates;
  const files = ['--tls-cert-file', own.cert, '--tls-key-file', own.key, '--tls-ca-cert-file', ca, '--tls-auth-clients', 'yes'];
  const server = await startRedis({ args: ['--tls-port', String(tlsPort), ...files] });
  const raw = new Redis({ host: server.host, port: server.port });
  return createBench(layout, {
    raw,
    servers: [raw],
    options: (port = tlsPort) => ({
      url: `rediss://127.0.0.1:${port}`,
      tls: { ca: { file: ca }, cert: { file: client.cert }, key: { file: client.key }, servername: 'redis.test' },
    }),
    stop: async () => {
      await server.stop();
      await certificates.remove();
    },
  });
}
