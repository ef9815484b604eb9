import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';

export interface RefusingProxy {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  /** Whether everything but reading is refused from now on. */
  refuseWrites(refuse: boolean): void;
  stop(): Promise<void>;
}

/** Passes requests on as they are; writes it answers, where it is told so, as the server answers somebody who may only read. */
export async function startRefusingProxy(target: string, refusal: { readonly type: string; readonly body: string }): Promise<RefusingProxy> {
  const { hostname, port } = new URL(target);
  let refuses = false;
  const server = createServer((incoming, response) => {
    const { method = 'GET', url: path, headers } = incoming;
    if (refuses && method !== 'GET' && method !== 'HEAD') {
      incoming.resume().once('end', () => response.writeHead(403, { 'content-type': refusal.type }).end(refusal.body));
      return;
    }
    const passed = request({ hostname, port, method, path, headers }, (answer) => {
      // A client that was cancelled waits for no answer.
      if (response.destroyed) return void answer.destroy();
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      pipeline(answer, response, () => undefined);
    });
    passed.on('error', () => response.destroy());
    response.once('close', () => passed.destroy());
    pipeline(incoming, passed, () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refuseWrites: (refuse) => void (refuses = refuse),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
