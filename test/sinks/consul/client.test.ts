import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createConsulClient } from '../../../sinks/consul/client.ts';
import type { ConsulOptions } from '../../../sinks/consul/options.ts';
import { makeCertificates } from '../../servers/certificates.ts';
import { failure } from '../contract/scenario.ts';
import { optionsFor } from './bench.ts';

const signal = new AbortController().signal;
const ask = [{ verb: 'get-or-empty', key: 'a' }] as const;

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return (server.address() as AddressInfo).port;
}

async function serve(listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(createServer(listener))}`;
}

function clientOf(options: ConsulOptions, resolve: (name: string) => string = () => 'token') {
  const client = createConsulClient(options, async (reference) => resolve('env' in reference ? reference.env : ''));
  onTestFinished(() => client.close());
  return client;
}

test('a request carries the token in its header and the scope in its query, and nothing of it in the path', async () => {
  const seen: Pick<IncomingMessage, 'method' | 'url' | 'headers'>[] = [];
  const url = await serve(({ method, url: path, headers }, answer) => {
    seen.push({ method, url: path, headers });
    answer.setHeader('x-consul-index', '3');
    answer.end('true');
  });
  const client = clientOf(optionsFor(url, { datacenter: 'dc2', namespace: 'team', partition: 'part' }), () => 'very secret');
  await client.transact('consul acme/', ask, signal);
  await client.put('consul acme/', 'a b/50%25?', { value: Buffer.from('x'), flags: '7', index: '3' }, signal);
  await client.ask('consul acme/', { prefix: 'a b/' }, null, signal);
  await client.ask('consul acme/', { key: 'a?' }, { index: '18446744073709551615', waitMs: 50 }, signal);
  expect(seen.map(({ method, url: path }) => [method, path])).toEqual([
    ['PUT', '/v1/txn?consistent=&dc=dc2&ns=team&partition=part'],
    ['PUT', '/v1/kv/a%20b/50%2525%3F?cas=3&flags=7&dc=dc2&ns=team&partition=part'],
    ['GET', '/v1/kv/a%20b/?keys=&separator=%2F&dc=dc2&ns=team&partition=part'],
    ['GET', '/v1/kv/a%3F?index=18446744073709551615&wait=50ms&dc=dc2&ns=team&partition=part'],
  ]);
  expect(seen.map(({ headers }) => headers['x-consul-token'])).toEqual(Array.from(seen, () => 'very secret'));
});

test('a token is read once, and again after it was refused', async () => {
  let current = 'old';
  let reads = 0;
  const url = await serve(({ headers }, answer) => {
    answer.statusCode = headers['x-consul-token'] === 'new' ? 200 : 403;
    answer.end('ACL not found');
  });
  const client = clientOf(optionsFor(url), () => {
    reads++;
    return current;
  });
  await failure(client.transact('consul acme/', ask, signal), 'unauthorized');
  current = 'new';
  await client.transact('consul acme/', ask, signal);
  await client.transact('consul acme/', ask, signal);
  expect(reads).toBe(2);
});

test('a token that cannot be read is unavailable, and is asked for again', async () => {
  let isThere = false;
  const client = clientOf(optionsFor(await serve((_request, answer) => void answer.end('{}'))), () => {
    if (!isThere) throw new Error('TOKEN is not set');
    return 'token';
  });
  const error = await failure(client.transact('consul acme/', ask, signal), 'unavailable');
  expect(error.message).toContain('TOKEN is not set');
  isThere = true;
  expect(await client.transact('consul acme/', ask, signal)).toBe('{}');
});

test('a request whose answer is lost is not sent again', async () => {
  let requests = 0;
  const client = clientOf(
    optionsFor(
      await serve(({ socket }) => {
        requests++;
        socket.destroy();
      }),
    ),
  );
  await failure(client.transact('consul acme/', ask, signal), 'unavailable');
  expect(requests).toBe(1);
});

test('an answer that stops in its middle is none', async () => {
  const url = await serve((_request, answer) => {
    answer.writeHead(200, { 'content-length': '100' });
    answer.write('{"Results":[', () => answer.socket?.destroy());
  });
  await failure(clientOf(optionsFor(url)).transact('consul acme/', ask, signal), 'unavailable');
});

test('a request that is not answered ends in its time, or with its signal, or with the client', async () => {
  const url = await serve(() => undefined);
  const impatient = clientOf(optionsFor(url, { connectTimeout: '100ms', requestTimeout: '100ms' }));
  expect((await failure(impatient.transact('consul acme/', ask, signal), 'unavailable')).message).toContain('no answer in time');
  const client = clientOf(optionsFor(url));
  const abort = new AbortController();
  const cancelled = failure(client.transact('consul acme/', ask, abort.signal), 'unavailable');
  abort.abort();
  expect((await cancelled).message).toContain('cancelled');
  const open = failure(client.transact('consul acme/', ask, signal), 'unavailable');
  await client.close();
  expect((await open).message).toContain('closed');
});

test('a certificate is checked against the given authority, and read again after one was refused', async () => {
  const [ours, theirs] = [await makeCertificates(), await makeCertificates()];
  onTestFinished(async () => void (await Promise.all([ours.remove(), theirs.remove()])));
  const [cert, key] = await Promise.all([readFile(ours.server.cert), readFile(ours.server.key)]);
  const server = createTlsServer({ cert, key }, (_request, answer) => void answer.end('{}'));
  const url = `https://127.0.0.1:${await listen(server)}`;
  let trusted = await readFile(theirs.ca, 'utf8');
  const client = clientOf(optionsFor(url, { tls: { ca: { env: 'CA' } } }), (name) => (name === 'CA' ? trusted : 'token'));
  const error = await failure(client.transact('consul acme/', ask, signal), 'rejected');
  expect(error.message).toContain('TLS');
  trusted = await readFile(ours.ca, 'utf8');
  expect(await client.transact('consul acme/', ask, signal)).toBe('{}');
});
