import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HttpServer {
  readonly url: string;
  /** Stops accepting at once, lets what is in flight finish for at most `graceMs`, then cuts it off. */
  drain(graceMs?: number): Promise<void>;
}

/** Listens with timeouts against senders that dribble: the head within 10 s, a whole request within 30 s. */
export async function startHttpServer(listener: RequestListener, { host, port }: { host: string; port: number }): Promise<HttpServer> {
  const server = createServer(
    { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 65_000, connectionsCheckingInterval: 2_000, maxHeaderSize: 16_384 },
    listener,
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  const { address, family, port: actualPort } = server.address() as AddressInfo;

  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${actualPort}`,
    drain(graceMs = 10_000) {
      return new Promise((resolve) => {
        const cutOff = setTimeout(() => server.closeAllConnections(), graceMs);
        // `close` also ends idle connections; busy ones end with their answer, which says `Connection: close` by then.
        server.close(() => {
          clearTimeout(cutOff);
          resolve();
        });
      });
    },
  };
}
