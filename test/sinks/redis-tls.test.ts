import { Redis } from 'ioredis';
import { redis } from '../../sinks/redis.ts';
import { makeCertificates } from '../servers/certificates.ts';
import { describeWith } from '../servers/describe-with.ts';
import { freePort } from '../servers/free-port.ts';
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
      cannot: { outage: 'it is the one of a server without TLS' },
      start: () => startBench(layout),
    });
  }
});

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
