import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startHttpServer } from '../../api/http-server.ts';
import { startApiUnderTest, type ApiUnderTest } from './api-under-test.ts';
import { delivery, fixture } from './signed-delivery.ts';

const push = () => delivery('github', 'push', fixture('github-push-branch'));

let api: ApiUnderTest;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await api.server.drain(0);
});

describe('draining', () => {
  it('answers what is in flight, says that it is not ready, and takes nothing new', async () => {
    let draining = false;
    const { promise: temporal, resolve: answerOfTemporal } = Promise.withResolvers<{ workflowId: string; runId: string }>();
    const { promise: asked, resolve: nowAsked } = Promise.withResolvers<void>();
    api = await startApiUnderTest({
      isDraining: () => draining,
      startSync: () => {
        nowAsked();
        return temporal;
      },
    });
    const inFlight = api.send('/webhooks/acme/config', push());
    const open = await openConnection();
    await asked;
    draining = true;
    // A balancer's connection that is open already: its next question is answered before it is closed.
    const readiness = ask(open, 'GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n');
    await expect.poll(() => readiness()).toMatch(/^HTTP\/1.1 503 /);
    const drained = api.server.drain();
    await expect(fetch(`${api.server.url}/healthz`)).rejects.toThrow();
    answerOfTemporal({ workflowId: 'w', runId: 'r' });
    const answer = await inFlight;
    expect(answer.status).toBe(202);
    expect(answer.headers.get('connection')).toBe('close');
    await drained;
  });

  it('cuts off after the grace what does not end', async () => {
    api = await startApiUnderTest({ startSync: () => new Promise(() => undefined) });
    const failed = api.send('/webhooks/acme/config', push()).then(
      () => 'answered',
      () => 'cut off',
    );
    await expect.poll(async () => api.metrics.registry.metrics()).toContain('vartrack_webhooks_in_flight 1');
    await api.server.drain(20);
    expect(await failed).toBe('cut off');
  });
});

describe('an HTTP server', () => {
  it('rejects when its port is taken', async () => {
    api = await startApiUnderTest();
    await expect(startHttpServer(() => undefined, { host: '127.0.0.1', port: Number(new URL(api.server.url).port) })).rejects.toThrow(/EADDRINUSE/);
  });

  it('cuts off a sender that dribbles its head or its body', async () => {
    api = await startApiUnderTest({}, { headersTimeout: 60, requestTimeout: 120, keepAliveTimeout: 1_000, connectionsCheckingInterval: 20 });
    const head = ask(await openConnection(), 'POST /webhooks/acme/config HTTP/1.1\r\nHost:');
    const body = ask(await openConnection(), 'POST /webhooks/acme/config HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{');
    await expect.poll(() => head()).toMatch(/^HTTP\/1.1 408 /);
    await expect.poll(() => body()).toMatch(/^HTTP\/1.1 408 /);
  });

  it('counts a webhook whose sender goes away before its body is complete', async () => {
    api = await startApiUnderTest();
    const socket = await openConnection();
    socket.write('POST /webhooks/acme/config HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{');
    await expect.poll(async () => api.metrics.registry.metrics()).toContain('vartrack_webhooks_in_flight 1');
    socket.destroy();
    await expect.poll(async () => api.metrics.registry.metrics()).toContain('outcome="aborted"} 1');
    expect(await api.metrics.registry.metrics()).toContain('vartrack_webhooks_in_flight 0');
  });
});

async function openConnection(): Promise<Socket> {
  const { hostname, port } = new URL(api.server.url);
  const socket = connect(Number(port), hostname);
  sockets.push(socket);
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  return socket;
}

function ask(socket: Socket, request: string): () => string {
  let answer = '';
  socket.on('data', (chunk) => void (answer += String(chunk)));
  socket.on('error', () => undefined);
  socket.write(request);
  return () => answer;
}
