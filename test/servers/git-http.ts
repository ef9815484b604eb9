import { spawn } from 'node:child_process';
import { createServer as createHttp, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface GitHttpOptions {
  /** Directory whose repositories are served: `<url>/name.git`. */
  readonly root: string;
  /** Basic auth that is asked for; without it everybody may read. */
  readonly login?: { readonly username: string; readonly token: string };
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Sees each request first; may hold it back, or answer it and return `answered`. */
  readonly onRequest?: (request: IncomingMessage, response: ServerResponse) => Promise<'answered' | 'pass'> | 'answered' | 'pass';
}

export interface GitHttp {
  readonly url: string;
  close(): Promise<void>;
}

/** `git http-backend` behind a server on a free loopback port. */
export async function startGitHttp(options: GitHttpOptions): Promise<GitHttp> {
  const listener: RequestListener = (request, response) => void answer(options, request, response);
  const server = options.tls ? createHttps(options.tls, listener) : createHttp(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer({ root, login, onRequest }: GitHttpOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if ((await onRequest?.(request, response)) === 'answered') return;
  if (login && request.headers.authorization !== `Basic ${Buffer.from(`${login.username}:${login.token}`).toString('base64')}`) {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
    return;
  }
  const { pathname, search } = new URL(request.url ?? '/', 'http://localhost');
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_NOSYSTEM: '1',
      PATH_INFO: decodeURIComponent(pathname),
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
      CONTENT_LENGTH: request.headers['content-length'],
      GIT_PROTOCOL: request.headers['git-protocol'] as string | undefined,
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  response.on('close', () => backend.kill());
  backend.stdin.on('error', () => undefined);
  request.pipe(backend.stdin);

  let head = Buffer.alloc(0);
  backend.stdout.on('data', (chunk: Buffer) => {
    if (response.headersSent) return void response.write(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) return;
    const headers = head
      .subarray(0, end)
      .toString()
      .split('\r\n')
      .map((line) => line.split(/: ?(.*)/s));
    const status = headers.find(([name]) => name?.toLowerCase() === 'status')?.[1];
    for (const [name, value] of headers) if (name && value && name.toLowerCase() !== 'status') response.setHeader(name, value);
    response.writeHead(status ? Number.parseInt(status, 10) : 200);
    response.write(head.subarray(end + 4));
  });
  backend.on('close', () => response.end());
}
