import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startTcpProxy, type Fault, type TcpProxy } from './tcp-proxy.ts';

describe('the proxy that breaks', () => {
  let server: ReturnType<typeof createServer>;
  let proxy: TcpProxy;
  let heard: string;
  let ended: boolean;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    heard = '';
    ended = false;
    // Answers each byte twice.
    server = createServer((socket) => {
      sockets.push(socket);
      socket.on('data', (chunk) => {
        heard += chunk.toString();
        socket.write(chunk.toString().replaceAll(/./g, '$&$&'));
      });
      socket.on('error', () => undefined);
      socket.on('close', () => void (ended = true));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    proxy = await startTcpProxy({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  });
  afterEach(async () => {
    await proxy.stop();
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close();
  });

  async function dial(fault?: Fault) {
    const socket = connect({ host: proxy.host, port: proxy.port });
    sockets.push(socket);
    const client = { socket, said: '', end: '' };
    socket.on('data', (chunk) => void (client.said += chunk.toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => void (client.end ||= error.code ?? 'error'));
    socket.on('end', () => void (client.end ||= 'end'));
    await once(socket, 'connect');
    proxy.watch(fault);
    return client;
  }

  test('passes everything on, and knows whose turn it was', async () => {
    const client = await dial();
    client.socket.write('abc');
    await expect.poll(() => client.said).toBe('aabbcc');
    client.socket.write('d');
    await expect.poll(() => client.said).toBe('aabbccdd');
    expect(proxy.turns()).toEqual([
      { direction: 'request', from: 0, to: 3 },
      { direction: 'reply', from: 0, to: 6 },
      { direction: 'request', from: 3, to: 4 },
      { direction: 'reply', from: 6, to: 8 },
    ]);
  });

  test.each([
    ['reset', 'ECONNRESET'],
    ['close', 'end'],
  ] as const)('%s: so many bytes of a request arrive, and both sides are told', async (how, told) => {
    const client = await dial({ how, direction: 'request', after: 2 });
    client.socket.write('abc');
    await expect.poll(() => [heard, client.end, ended]).toEqual(['ab', told, true]);
    const next = connect({ host: proxy.host, port: proxy.port });
    sockets.push(next);
    await expect(once(next, 'end').then(() => Promise.reject(new Error('ended')))).rejects.toThrow(/ECONNRESET|ended/);
    proxy.heal();
    const healed = await dial();
    healed.socket.write('x');
    await expect.poll(() => healed.said).toBe('xx');
  });

  test('reset: so many bytes of a reply arrive', async () => {
    const client = await dial({ how: 'reset', direction: 'reply', after: 3 });
    client.socket.write('abc');
    await expect.poll(() => [heard, client.said, client.end]).toEqual(['abc', 'aab', 'ECONNRESET']);
  });

  test.each([
    ['hole', false],
    ['half-open', true],
  ] as const)('%s: the client is told nothing, the server of its end: %s', async (how, told) => {
    const client = await dial({ how, direction: 'request', after: 1 });
    client.socket.write('abc');
    await expect.poll(() => [proxy.struck, heard, ended]).toEqual([true, 'a', told]);
    client.socket.write('d');
    expect([heard, client.end]).toEqual(['a', '']);
    proxy.heal();
    await expect.poll(() => client.end).toMatch(/^(end|ECONNRESET)$/);
  });

  test('hold: what the client said is kept, also when it is gone, and arrives in the end', async () => {
    const client = await dial({ how: 'hold', direction: 'request', after: 1 });
    client.socket.write('abc');
    await expect.poll(() => [proxy.struck, heard]).toEqual([true, 'a']);
    client.socket.write('d');
    client.socket.destroy();
    await once(client.socket, 'close');
    expect(heard).toBe('a');
    proxy.heal();
    await proxy.released;
    await expect.poll(() => heard).toBe('abcd');
  });
});
