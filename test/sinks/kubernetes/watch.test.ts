import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createApiServer, type ApiServer } from '../../../sinks/kubernetes/api-server.ts';
import { watchPlaces } from '../../../sinks/kubernetes/watch-places.ts';
import { watchObjects, type WatchTimes } from '../../../sinks/kubernetes/watch.ts';
import { makeCertificates, type Certificates } from '../../servers/certificates.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startKubernetes, type KubernetesServer, type KubernetesUser } from '../../servers/kubernetes.ts';
import { failure } from '../contract/scenario.ts';

const limits = { connectTimeout: 2_000, requestTimeout: 5_000 };
const long: WatchTimes = { lifetimeMs: 60_000, idleTimeout: 60_000 };

/** Begins a watch of ConfigMaps, and writes down what it tells. */
function begin(server: ApiServer, times: WatchTimes = long) {
  const abort = new AbortController();
  const told: string[] = [];
  const ended = watchObjects(
    server,
    { namespace: 'default', resource: 'configmaps' },
    { standing: () => void told.push('standing'), changed: ({ name }) => void told.push(name) },
    abort.signal,
    times,
  );
  ended.catch(() => undefined);
  onTestFinished(async () => {
    abort.abort();
    await server.close();
  });
  return { told, ended };
}

describe('a watch', () => {
  let certificates: Certificates;
  let server: Server;
  let connect: () => ApiServer;
  let onWatch: (query: URLSearchParams, response: ServerResponse) => void;
  const lists: string[] = [];
  const watches: string[] = [];
  const sockets = new Set<Socket>();
  beforeAll(async () => {
    certificates = await makeCertificates();
    const [cert, key, ca = ''] = await Promise.all([certificates.server.cert, certificates.server.key, certificates.ca].map((path) => readFile(path, 'utf8')));
    server = createServer({ cert, key }, (request, response) => {
      const { searchParams } = new URL(request.url ?? '', 'https://any');
      response.writeHead(200, { 'content-type': 'application/json' });
      if (searchParams.has('watch')) {
        watches.push(searchParams.get('resourceVersion') ?? '');
        onWatch(searchParams, response);
      } else {
        lists.push(searchParams.get('limit') ?? '');
        response.end(JSON.stringify({ kind: 'PartialObjectMetadataList', metadata: { resourceVersion: `${lists.length}00` }, items: [] }));
      }
    });
    server.on('secureConnection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    connect = () => {
      lists.length = watches.length = 0;
      return createApiServer(limits, async () => ({ server: `https://127.0.0.1:${port}`, request: { ca } }));
    };
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await certificates.remove();
  });

  const event = (type: string, name: string, resourceVersion: string): string =>
    `${JSON.stringify({ type, object: { metadata: { name, resourceVersion } } })}\n`;
  const gone = `${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } })}\n`;

  test('takes events that arrive in pieces, also of one character', async () => {
    onWatch = (_query, response) => {
      const bytes = Buffer.from(event('ADDED', 'größe', '101') + event('DELETED', 'b', '102'));
      response.flushHeaders();
      for (let at = 0; at < bytes.length; at += 7) response.write(bytes.subarray(at, at + 7));
    };
    const { told } = begin(connect());
    await expect.poll(() => told, { timeout: 5_000 }).toEqual(['standing', 'größe', 'b']);
  });

  test('begins anew where the server has forgotten what came since, and says that it did', async () => {
    onWatch = (query, response) => {
      response.write(query.get('resourceVersion') === '100' ? event('MODIFIED', 'a', '101') + gone : event('MODIFIED', 'c', '201'));
      if (query.get('resourceVersion') === '100') response.end();
    };
    const { told } = begin(connect());
    await expect.poll(() => told, { timeout: 5_000 }).toEqual(['standing', 'a', 'standing', 'c']);
    expect(watches).toEqual(['100', '200']);
  });

  test('is unavailable if even a new one has been forgotten, so that nobody asks in a circle', async () => {
    onWatch = (_query, response) => void response.end(gone);
    await failure(begin(connect()).ended, 'unavailable');
    expect(lists).toHaveLength(1);
  });

  test('is unavailable when the server ends each answer at once', async () => {
    onWatch = (_query, response) => void response.end(event('BOOKMARK', '', '150'));
    const { told, ended } = begin(connect());
    await failure(ended, 'unavailable');
    expect(told).toEqual(['standing']);
  });

  test('is unavailable when nothing has been heard for too long, and bookmarks are heard', async () => {
    const began = performance.now();
    onWatch = (_query, response) => {
      let bookmarks = 0;
      const timer = setInterval(() => (++bookmarks > 10 ? clearInterval(timer) : response.write(event('BOOKMARK', '', '150'))), 100);
    };
    await failure(begin(connect(), { ...long, idleTimeout: 600 }).ended, 'unavailable');
    expect(performance.now() - began).toBeGreaterThan(1_100);
  });

  test.each([
    ['broken off', (response: ServerResponse) => void response.write('{"type":', () => response.destroy())],
    ['no JSON', (response: ServerResponse) => void response.write('<html>\n', () => response.end())],
  ])('is unavailable when the answer is %s', async (_name, answer) => {
    onWatch = (_query, response) => answer(response);
    await failure(begin(connect()).ended, 'unavailable');
  });
});

describeWith(['etcd', 'kube-apiserver'], 'a watch of a real API server', () => {
  let kubernetes: KubernetesServer;
  beforeAll(async () => {
    kubernetes = await startKubernetes();
  });
  afterAll(() => kubernetes?.stop());

  const connectAs = (user: KubernetesUser): ApiServer =>
    createApiServer(limits, async () => ({ server: kubernetes.url, request: { ca: kubernetes.ca, headers: { authorization: `Bearer ${user}-token` } } }));
  const make = (name: string) => kubernetes.call('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name } });

  test('goes on from where it was when the server ends it as agreed', async () => {
    const server = connectAs('writer');
    const asked: string[] = [];
    const { told } = begin(
      { ...server, stream: (label, call, signal) => (asked.push(call.path), server.stream(label, call, signal)) },
      { ...long, lifetimeMs: 1_000 },
    );
    await expect.poll(() => told, { timeout: 5_000 }).toContain('standing');
    for (const name of ['first', 'second', 'third']) {
      const requests = asked.length;
      await make(name);
      await expect.poll(() => asked.length, { timeout: 5_000 }).toBeGreaterThan(requests);
    }
    await expect
      .poll(() => told.filter((name) => ['standing', 'first', 'second', 'third'].includes(name)), { timeout: 5_000 })
      .toEqual(['standing', 'first', 'second', 'third']);
  });

  test.each([
    ['nobody', 'list'],
    ['reader', 'watch'],
  ] as const)('is unsupported for the user %s, and the message names the verb %s', async (user, verb) => {
    const error = await failure(begin(connectAs(user)).ended, 'unsupported');
    expect(error.message).toMatch(new RegExp(`may not ${verb} configmaps in the namespace default; docs/sinks/configmap\\.md .* polled`));
  });

  test('of one namespace that is lost ends those of the others', async () => {
    const server = connectAs('writer');
    onTestFinished(() => server.close());
    const ends: string[] = [];
    const { promise: bothStand, resolve } = Promise.withResolvers<void>();
    let standing = 0;
    const watching = watchPlaces(
      {
        places: ['default/a', 'kube-system/b'].map((name) => ({ name, layout: 'keys', fields: {} })),
        at: ({ name }) => ({ namespace: name.split('/', 1)[0] ?? '', names: [name.split('/')[1] ?? ''] }),
        nameOf: ({ name }) => name,
        watchNamespace: async (namespace, told, signal) => {
          const lost = namespace === 'default' ? bothStand.then(() => Promise.reject(new Error('lost'))) : new Promise<never>(() => undefined);
          try {
            await Promise.race([lost, watchObjects(server, { namespace, resource: 'configmaps' }, told, signal)]);
          } finally {
            ends.push(namespace);
          }
        },
      },
      () => void (++standing === 2 && resolve()),
      AbortSignal.timeout(20_000),
    );
    await expect(watching).rejects.toThrow('lost');
    expect(ends).toEqual(['default', 'kube-system']);
  });
});
