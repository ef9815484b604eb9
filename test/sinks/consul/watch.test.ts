import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createConsulClient } from '../../../sinks/consul/client.ts';
import { createWatch } from '../../../sinks/consul/watch.ts';
import type { Place } from '../../../sinks/sink.ts';
import { failure } from '../contract/scenario.ts';
import { optionsFor } from './bench.ts';

interface Reply {
  readonly status?: number;
  readonly index?: number;
  readonly text?: string;
}

/** A server that gives the replies one after the other, and then makes everyone wait. */
async function serve(replies: readonly Reply[]) {
  const asked: URLSearchParams[] = [];
  const server = createServer(({ url = '' }, answer) => {
    asked.push(new URL(url, 'http://consul').searchParams);
    const reply = replies[asked.length - 1];
    if (!reply) return;
    if (reply.index !== undefined) answer.setHeader('x-consul-index', reply.index);
    answer.statusCode = reply.status ?? 200;
    answer.end(reply.text ?? '[]');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

function watch(url: string, ...names: readonly string[]) {
  const told: string[] = [];
  const abort = new AbortController();
  const places = names.map((name): Place => ({ name, layout: 'keys', fields: {} }));
  const ended = createWatch((maxSockets) => createConsulClient(optionsFor(url, { requestTimeout: '1s' }), async () => 'token', maxSockets))(
    places,
    ({ name }) => told.push(name),
    abort.signal,
  );
  ended.catch(() => undefined);
  onTestFinished(async () => {
    abort.abort();
    await ended.catch(() => undefined);
  });
  return { told, ended };
}

test('an index that went back is not waited for', async () => {
  const { url, asked } = await serve([{ index: 90 }, { index: 95 }, { index: 7 }, { index: 7 }]);
  const { told } = watch(url, 'acme/');
  await expect.poll(() => asked.length, { timeout: 5_000 }).toBe(5);
  expect(asked.map((query) => query.get('index'))).toEqual([null, '90', '95', null, '7']);
  expect(asked.map((query) => query.get('wait'))).toEqual([null, '50000ms', '50000ms', null, '50000ms']);
  expect(told).toEqual(['acme/', 'acme/', 'acme/']);
});

test('a place that is not there is not told of for what others write, and is when it comes and goes', async () => {
  const gone = { status: 404, text: '' };
  const { url, asked } = await serve([{ ...gone, index: 10 }, { ...gone, index: 11 }, { index: 12 }, { index: 12 }, { ...gone, index: 13 }]);
  const { told } = watch(url, 'acme/');
  await expect.poll(() => asked.length, { timeout: 5_000 }).toBe(6);
  expect(told).toHaveLength(3);
});

test.each([
  [{ status: 403, text: 'ACL not found' }, 'unauthorized', 'token is not known'],
  [{ status: 500, text: 'No cluster leader' }, 'unavailable', 'failed with 500'],
  [{ status: 429 }, 'throttled', 'less often'],
  [{ status: 200 }, 'unavailable', "none of Consul's"],
] as const)('an answer %j ends it as %s', async (reply, reason, message) => {
  const { url } = await serve([{ index: 3 }, reply]);
  const { told, ended } = watch(url, 'acme/');
  expect((await failure(ended, reason)).message).toContain(message);
  expect(told).toEqual(['acme/']);
});

test('of places that share a query, those are told of that are at another index', async () => {
  const names = Array.from({ length: 66 }, (_, index) => `acme/${String(index).padStart(2, '0')}/`);
  const indexes = new Map(names.map((name, index) => [name, index + 1]));
  const waiting = new Map<string, () => void>();
  const server = createServer(({ url = '' }, answer) => {
    const { pathname, searchParams } = new URL(url, 'http://consul');
    const prefix = pathname.replace('/v1/kv/', '');
    const index = (): number => indexes.get(prefix) ?? Math.max(...indexes.values());
    const reply = (): void => void answer.setHeader('x-consul-index', index()).end('[]');
    if (searchParams.get('index') === String(index())) waiting.set(prefix, reply);
    else reply();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { told } = watch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, ...names);
  await expect.poll(() => waiting.size, { timeout: 10_000 }).toBe(64);
  expect(told.toSorted()).toEqual(names);
  expect([...waiting.keys()]).toContain('acme/');
  indexes.set('acme/01/', 100);
  waiting.get('acme/')?.();
  await expect.poll(() => told.length).toBe(67);
  expect(told.at(-1)).toBe('acme/01/');
});
