import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HttpServer {
  readonly url: string;
  /** Stops accepting at once, lets what is in flight finish for at most `graceMs`, then cuts it off. */
  drain(graceMs?: number): Promise<void>;
}

export interface HttpOptions {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly timeouts?: Timeouts;
}

/** Against senders that dribble: until the head is there, until the whole request is there, between two requests. */
export interface Timeouts {
  readonly headersTimeout: number;
  readonly requestTimeout: number;
  readonly keepAliveTimeout: number;
  readonly connectionsCheckingInterval: number;
}

const TIMEOUTS: Timeouts = { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 65_000, connectionsCheckingInterval: 2_000 };

export async function startHttpServer(listener: RequestListener, { host, port, timeouts = TIMEOUTS }: HttpOptions): Promise<HttpServer> {
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
