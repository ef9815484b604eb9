import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface DeafProxy {
  readonly port: number;
  /** From now on requests still reach the server, and its replies are lost. */
  loseReplies(): void;
  stop(): Promise<void>;
}

/** Stands between a client and a server on loopback. */
export async function startDeafProxy(target: number): Promise<DeafProxy> {
  const sockets = new Set<Socket>();
  let losing = false;
  const server = createServer((client) => {
    const upstream = connect({ host: '127.0.0.1', port: target });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    }
    client.pipe(upstream);
    upstream.on('data', (chunk) => {
      if (!losing) client.write(chunk);
    });
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    loseReplies: () => {
      losing = true;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
