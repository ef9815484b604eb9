import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HttpServer {
  readonly url: string;
  /** Stops accepting at once, lets what is in flight finish for at most `graceMs`, then cuts it off. */
  drain(graceMs?: number): Promise<void>;
}

/** Listens with timeouts against senders that dribble: the head within 10 s, a whole request within 30 s. */
export async function startHttpServer(listener: RequestListener, { host, port }: { host: string; port: number }): Promise<HttpServer> {
  const timeouts = { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 65_000, connectionsCheckingInterval: 2_000 };
  const inFlight = new Set<ServerResponse>();
  let draining = false;
  const server = createServer({ ...timeouts, maxHeaderSize: 16_384 }, (request, response) => {
    inFlight.add(response);
    response.once('close', () => inFlight.delete(response));
    if (draining) endConnectionAfter(response);
    listener(request, response);
  });
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
      draining = true;
      // Closing the server ends the connections that are idle now; one that is busy would be kept alive after its answer.
      for (const response of inFlight) endConnectionAfter(response);
      return new Promise((resolve) => {
        const cutOff = setTimeout(() => server.closeAllConnections(), graceMs);
        server.close(() => {
          clearTimeout(cutOff);
          resolve();
        });
      });
    },
  };
}

function endConnectionAfter(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
}
