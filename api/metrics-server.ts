import type { RequestListener } from 'node:http';
import type { Registry } from 'prom-client';

/** `/metrics` for Prometheus, on a port of its own so that it need not be reachable from where webhooks come. */
export function serveMetrics(registry: Registry): RequestListener {
  return (request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'Content-Type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  };
}
