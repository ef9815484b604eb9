import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, request as plain, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { request as secure } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Access } from '../kubernetes/access.ts';

/** What may become of the records of a release while one run of Helm goes on. */
export interface Fence {
  /** Path of the namespace's Secrets: `/api/v1/namespaces/shop/secrets`. */
  readonly secrets: string;
  /** What the names of the release's records begin with: `sh.helm.release.v1.web.v`. */
  readonly prefix: string;
  /** The only revision that may be made; null where none may. */
  readonly next: number | null;
  /** Looks again whether the release is as it was read; false refuses what Helm is about to do. */
  holds(): Promise<boolean>;
}

export interface Trouble {
  readonly method: string;
  /** Without query. Names of objects can be made of values. */
  readonly path: string;
  /** 0 where there was no answer. */
  readonly status: number;
  /** Of an answer of the API server: the words that tell one refusal from another. Never passed on. */
  readonly text: string;
}

/** What one run of Helm talks to instead of the API server. */
export interface Gateway {
  /** Holds a secret of this one run, which is all that Helm knows: our credentials stay here. */
  readonly address: string;
  /** Whether the fence refused something: somebody else was there first. */
  fenced(): boolean;
  /** What went wrong between Helm and the API server, in order. */
  troubles(): readonly Trouble[];
  close(): Promise<void>;
}

// An API server takes 3 MiB.
const MAX_RECORD_BYTES = 8 * 1024 * 1024;
const MAX_TEXT = 2_000;
const MAX_TROUBLES = 50;
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'te', 'trailer', 'authorization', 'host']);

/**
 * Helm knows no condition: an upgrade is made from whatever is the last revision by the time that it looks. Its only lock is that a revision is
 * one Secret, which can be made once. So its requests go through here, and one that would make another revision than the one after what we read is
 * refused, before anything but the records has changed. A Helm whose worker died is cut off with it.
 */
export async function openGateway(access: () => Promise<Access>, fence: Fence): Promise<Gateway> {
  // Helm's client shows no token to an address without TLS, but takes one with a path.
  const prefix = `/${randomBytes(32).toString('base64url')}`;
  const troubles: Trouble[] = [];
  let state: 'unchecked' | 'moved' | 'fenced' = 'unchecked';
  const note = (trouble: Trouble): void => void (troubles.length < MAX_TROUBLES && troubles.push(trouble));

  /** The record that a request would write, by its revision; null for what is none. */
  function revisionIn(method: string, path: string, body: Buffer | null): number | null {
    if (method === 'GET' || method === 'HEAD') return null;
    if (path === fence.secrets && body) {
      // JSON or protobuf: the name stands in both as it is, and what Helm stores beside it is base64, without a dot.
      const at = body.indexOf(fence.prefix);
      return at < 0 ? null : Number(/^\d+/.exec(body.subarray(at + fence.prefix.length, at + fence.prefix.length + 12).toString('latin1'))?.[0] ?? Number.NaN);
    }
    const record = `${fence.secrets}/${fence.prefix}`;
    return path.startsWith(record) ? Number(path.slice(record.length)) : null;
  }

  async function admits(method: string, revision: number | null): Promise<boolean> {
    if (state === 'fenced') return false;
    if (revision === null) return true;
    if (method === 'POST' ? revision !== fence.next : revision > (fence.next ?? revision)) return false;
    if (state === 'moved') return true;
    if (!(await fence.holds())) return false;
    // What is cleared away of the history moves nothing yet.
    if (method !== 'DELETE') state = 'moved';
    return true;
  }

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = 'GET' } = incoming;
    const url = within(incoming.url ?? '', prefix);
    if (url === null) return refuse(outgoing, 401, 'Unauthorized');
    const path = url.split('?', 1)[0] ?? url;
    const body = method === 'POST' && path === fence.secrets ? await bodyOf(incoming) : null;
    const isRead = method === 'GET' || method === 'HEAD';
    if (!isRead && !(await admits(method, revisionIn(method, path, body)))) {
      state = 'fenced';
      return refuse(outgoing, 409, 'Conflict');
    }
    const { server, request } = await access();
    const base = new URL(server);
    const headers = Object.fromEntries(Object.entries(incoming.headers).filter(([name]) => !HOP_BY_HOP.has(name)));
    const send = base.protocol === 'https:' ? secure : plain;
    const target = new URL(base.pathname.replace(/\/+$/, '') + url, base);
    // What Helm gives up itself is no trouble.
    const lose = (): void => {
      if (!outgoing.destroyed) note({ method, path, status: 0, text: '' });
      if (outgoing.headersSent) outgoing.destroy();
      else refuse(outgoing, 503, 'ServiceUnavailable');
    };
    const upstream = send(target, { ...request, method, headers: { ...headers, ...request.headers } }, (answer) => {
      const status = answer.statusCode ?? 502;
      if (status >= 400 && !(isRead && status === 404)) noteAnswer(answer, (text) => note({ method, path, status, text }));
      outgoing.writeHead(status, Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !HOP_BY_HOP.has(name))));
      answer.on('error', () => undefined);
      answer.once('close', () => !answer.complete && lose());
      answer.pipe(outgoing);
    });
    upstream.on('error', lose);
    outgoing.on('close', () => upstream.destroy());
    if (body) upstream.end(body);
    else incoming.pipe(upstream);
  }

  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => {
      note({ method: incoming.method ?? '', path: '', status: 0, text: '' });
      if (outgoing.headersSent) outgoing.destroy();
      else refuse(outgoing, 503, 'ServiceUnavailable');
    });
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket)).on('error', () => undefined);
  });
  const port = await listen(server);
  return {
    address: `http://127.0.0.1:${port}${prefix}`,
    fenced: () => state === 'fenced',
    troubles: () => troubles,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** The rest of a URL that begins with our secret, compared in constant time; null for one of somebody else. */
function within(url: string, prefix: string): string | null {
  const given = Buffer.from(url.slice(0, prefix.length));
  return given.length === prefix.length && timingSafeEqual(given, Buffer.from(prefix)) && url[prefix.length] === '/' ? url.slice(prefix.length) : null;
}

function refuse(outgoing: ServerResponse, code: number, reason: string): void {
  outgoing.writeHead(code, { 'content-type': 'application/json' });
  outgoing.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code, message: 'varTrack holds this back' }));
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_RECORD_BYTES) throw new RangeError('the record is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function noteAnswer(answer: IncomingMessage, done: (text: string) => void): void {
  let text = '';
  answer.on('data', (chunk: Buffer) => (text = (text + chunk.toString('latin1')).slice(0, MAX_TEXT)));
  answer.once('close', () => done(text));
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}
