import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAccess } from '../../../sinks/kubernetes/access.ts';
import { createApiServer } from '../../../sinks/kubernetes/api-server.ts';
import { createConfigMaps, type ConfigMaps } from '../../../sinks/configmap/config-maps.ts';
import { makeCertificates, type Certificates } from '../../servers/certificates.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startKubernetes, type KubernetesServer } from '../../servers/kubernetes.ts';
import { canary, failure } from '../contract/scenario.ts';
import { mapsFor, optionsFor, resolveFor } from './bench.ts';

const at = { namespace: 'default', name: 'app' };
const signal = (): AbortSignal => AbortSignal.timeout(10_000);

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
  /** Ends the connection before the body does. */
  readonly breaksOff?: true;
}

describe('an answer', () => {
  let certificates: Certificates;
  let server: Server;
  let ca: string;
  let answer: Answer = { status: 200, body: '' };
  const sockets = new Set<Socket>();
  beforeAll(async () => {
    certificates = await makeCertificates();
    const [cert, key, authority] = await Promise.all(
      [certificates.server.cert, certificates.server.key, certificates.ca].map((path) => readFile(path, 'utf8')),
    );
    ca = authority ?? '';
    server = createServer({ cert, key }, (request, response) => {
      request.resume();
      request.on('end', () => {
        const { status, headers = {}, body, breaksOff } = answer;
        response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) + (breaksOff ? 10 : 0), ...headers });
        response.write(body);
        if (breaksOff) setImmediate(() => request.socket.destroy());
        else response.end();
      });
    });
    server.on('secureConnection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await certificates.remove();
  });

  function connect(): ConfigMaps {
    const options = optionsFor({ url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` });
    return createConfigMaps(createApiServer(options, createAccess(options, resolveFor({ ca }))));
  }

  const status = (code: number, more: object): string => JSON.stringify({ kind: 'Status', code, message: `something ${canary}`, ...more });
  const cases: readonly (readonly [name: string, answer: Answer, reason: Parameters<typeof failure>[1], says: string])[] = [
    ['asks to wait', { status: 429, headers: { 'retry-after': '7' }, body: status(429, { reason: 'TooManyRequests' }) }, 'throttled', 'less often'],
    ['is a 404 of something that is no API server', { status: 404, body: '<html>not here</html>' }, 'rejected', '404'],
    [
      'is a 404 about another object',
      { status: 404, body: status(404, { reason: 'NotFound', details: { kind: 'configmaps', name: 'other' } }) },
      'rejected',
      '404',
    ],
    ['is no ConfigMap', { status: 200, body: '{"kind":"List"}' }, 'unavailable', 'not a ConfigMap'],
    ['is no JSON', { status: 200, body: `not JSON ${canary}` }, 'unavailable', 'not a ConfigMap'],
    ['breaks off', { status: 200, body: '{"kind":"Conf', breaksOff: true }, 'unavailable', 'not reachable'],
    ['says that the server failed', { status: 500, body: status(500, { reason: 'InternalError' }) }, 'unavailable', '500'],
    ['says that the server is overloaded', { status: 503, body: 'overloaded' }, 'unavailable', '503'],
    ['does not know us', { status: 401, body: status(401, { reason: 'Unauthorized' }) }, 'unauthorized', 'token'],
  ];

  test.each(cases)('that %s is a failure and never absence (I3)', async (_name, given, reason, says) => {
    answer = given;
    const maps = connect();
    const error = await failure(maps.get(at, signal()), reason);
    expect(error.message).toContain(says);
    if (reason === 'throttled') expect(error.retryAfterMs).toBe(7_000);
    await maps.close();
  });

  test('is the last of its connection when the sink is closed', async () => {
    answer = { status: 200, body: JSON.stringify({ kind: 'ConfigMap', metadata: { uid: 'u', resourceVersion: '1' } }) };
    const maps = connect();
    await Promise.all([maps.get(at, signal()), maps.get(at, signal())]);
    expect(sockets.size).toBeGreaterThan(0);
    await maps.close();
    await expect.poll(() => sockets.size).toBe(0);
    await failure(maps.get(at, signal()), 'unavailable');
  });

  test('of a server whose certificate nobody vouches for is not taken', async () => {
    const options = optionsFor({ url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` });
    const { ca: _, ...without } = options;
    const maps = createConfigMaps(createApiServer(without, createAccess(without, resolveFor({ ca }))));
    const error = await failure(maps.get(at, signal()), 'rejected');
    expect(error.message).toContain('TLS');
    await maps.close();
  });
});

describeWith(['etcd', 'kube-apiserver'], 'a conditional write', () => {
  let server: KubernetesServer;
  let maps: ConfigMaps;
  beforeAll(async () => {
    server = await startKubernetes();
    maps = mapsFor(server);
  });
  afterAll(async () => {
    await maps.close();
    await server.stop();
  });

  test('on what is no longer true is a conflict, and changes nothing', async () => {
    const place = { namespace: 'default', name: `app-${randomUUID()}` };
    const first = await maps.create(place, { metadata: {}, data: { host: 'db1' } }, signal());
    await failure(maps.create(place, { metadata: {}, data: { host: 'late' } }, signal()), 'conflict');
    const second = await maps.patch(place, first, { metadata: {}, data: { host: 'db2' } }, signal());
    await failure(maps.patch(place, first, { metadata: {}, data: { host: 'late' } }, signal()), 'conflict');
    await failure(maps.delete(place, first, signal()), 'conflict');
    expect((await maps.get(place, signal()))?.data).toEqual({ host: 'db2' });
    await maps.delete(place, second, signal());
    await failure(maps.patch(place, second, { metadata: {}, data: { host: 'late' } }, signal()), 'conflict');
    const again = await maps.create(place, { metadata: {}, data: { host: 'db3' } }, signal());
    await failure(maps.delete(place, second, signal()), 'conflict');
    expect(await maps.get(place, signal())).toEqual(again);
  });

  test('of more than Kubernetes takes, or of immutable data, is refused as what it is', async () => {
    const place = { namespace: 'default', name: `app-${randomUUID()}` };
    const make = (bytes: number) => maps.create(place, { metadata: {}, data: { big: 'x'.repeat(bytes) } }, signal());
    await failure(make(1024 * 1024 + 1), 'too-large');
    await failure(make(4 * 1024 * 1024), 'too-large');
    await failure(maps.create(place, { metadata: { annotations: { big: 'x'.repeat(256 * 1024) } } }, signal()), 'too-large');
    const made = await make(1024 * 1024);
    await server.call('PATCH', `/api/v1/namespaces/default/configmaps/${place.name}`, { immutable: true });
    const fixed = await maps.get(place, signal());
    const error = await failure(maps.patch(place, fixed ?? made, { metadata: {}, data: { big: 'y' } }, signal()), 'rejected');
    expect(error.message).toContain('immutable');
  });

  test('says which verb a user lacks', async () => {
    const place = { namespace: 'default', name: `app-${randomUUID()}` };
    const made = await maps.create(place, { metadata: {}, data: { host: 'db1' } }, signal());
    const reader = mapsFor(server, 'reader');
    const calls = {
      create: () => reader.create({ ...place, name: 'other' }, { metadata: {} }, signal()),
      patch: () => reader.patch(place, made, { metadata: {}, data: { host: 'db2' } }, signal()),
      delete: () => reader.delete(place, made, signal()),
    };
    for (const [verb, call] of Object.entries(calls)) {
      const error = await failure(call(), 'unauthorized');
      expect(error.message).toContain(`may not ${verb} configmaps in the namespace default`);
    }
    await reader.close();
  });
});
