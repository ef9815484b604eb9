import { connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';

/** A TCP proxy that can stop passing on what one side says, so that its client can be killed between a request and its answer. */
export interface SilentProxy {
  readonly address: string;
  /** From now on what the `client` (or the `server`) says is kept. */
  silence(side: 'client' | 'server'): void;
  /** What was kept, as text. */
  kept(): string;
  close(): Promise<void>;
}

export async function startSilentProxy(target: string): Promise<SilentProxy> {
  const [host = '', port = ''] = target.split(':');
  const sockets = new Set<Socket>();
  let silenced: 'client' | 'server' | undefined;
  let kept = '';
  const pass = (from: Socket, to: Socket, side: 'client' | 'server'): void => {
    sockets.add(from);
    from.on('data', (chunk) => {
      if (silenced === side) kept += chunk.toString('latin1');
      else to.write(chunk);
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
  };
  const server = createServer((client) => {
    const upstream = connect({ host, port: Number(port) });
    pass(client, upstream, 'client');
    pass(upstream, client, 'server');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the proxy has no port');
  return {
    address: `127.0.0.1:${bound.port}`,
    silence: (side) => void (silenced = side),
    kept: () => kept,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
