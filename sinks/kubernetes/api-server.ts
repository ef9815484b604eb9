import { Agent, request as send } from 'node:https';
import { abortable } from '../abortable.ts';
import { SinkError } from '../errors.ts';
import type { Access } from './access.ts';
import { connectionError } from './connection-error.ts';
import { streamLines, type StreamEnd } from './stream.ts';

export interface Call {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  /** JSON in general, if absent. */
  readonly accept?: string;
}

export interface StreamCall {
  readonly path: string;
  readonly accept: string;
  readonly idleTimeout: number;
  /** The answer has begun. */
  readonly onOpen: () => void;
  /** Throws nothing. */
  readonly onLine: (line: string) => void;
}

/** Any status is an answer. The body may quote values: its message is never passed on. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly retryAfterMs: number | undefined;
}

export interface Limits {
  readonly connectTimeout: number;
  readonly requestTimeout: number;
  /** Of an answer; 16 MiB by default. */
  readonly maxAnswerBytes?: number;
}

export interface ApiServer {
  /** One request; JSON in and out. Any status is an answer, no answer is a SinkError. A write is never sent twice. */
  send(label: string, call: Call, signal: AbortSignal): Promise<Answer>;
  /** A GET whose answer goes on. Resolves when the server ends it, throws SinkError where it broke off. */
  stream(label: string, asked: StreamCall, signal: AbortSignal): Promise<StreamEnd>;
  close(): Promise<void>;
}

const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/**
 * Requests of the vendor's library make a pool of connections each that nobody closes, and its types drop what they do not know (also a key named
 * `__proto__`), so that only its knowledge of kubeconfigs is used.
 */
export function createApiServer(options: Limits, access: () => Promise<Access>): ApiServer {
  const own = new Agent({ keepAlive: true, maxSockets: 16 });
  // Streams stay open: of the other agent they would take all sockets.
  const streaming = new Agent({ keepAlive: false });
  const agents = new Set<{ destroy?: () => void }>([own, streaming]);
  const closing = new AbortController();

  async function opened(): Promise<Access> {
    const found = await access();
    const { agent } = found.request;
    if (typeof agent === 'object') agents.add(agent);
    return found;
  }

  function guarded<Result>(label: string, signal: AbortSignal, work: (access: Access, stop: AbortSignal) => Promise<Result>): Promise<Result> {
    const stop = AbortSignal.any([signal, closing.signal]);
    const refuse = (): SinkError =>
      new SinkError('unavailable', `${label}: ${closing.signal.aborted ? 'the sink was closed' : 'the call was cancelled, or ran out of time'}`);
    // Plugins and files that credentials come from know no signal.
    return abortable(stop, refuse, async () => work(await opened(), stop));
  }

  return {
    send: (label, call, signal) =>
      guarded(label, signal, ({ server, request }, stop) => exchange(label, `${server}${call.path}`, call, { agent: own, ...request }, options, stop)),
    stream: (label, { path, ...asked }, signal) =>
      guarded(label, signal, ({ server, request }, stop) =>
        streamLines({ label, url: `${server}${path}`, ...options, ...asked }, { agent: streaming, ...request }, stop),
      ),
    close: async () => {
      closing.abort();
      for (const agent of agents) agent.destroy?.();
    },
  };
}

async function exchange(
  label: string,
  url: string,
  { method, body, accept = 'application/json' }: Call,
  given: Access['request'],
  { connectTimeout, requestTimeout, maxAnswerBytes = MAX_ANSWER_BYTES }: Limits,
  signal: AbortSignal,
): Promise<Answer> {
  const text = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  // Of the body of a DELETE Node itself does not tell the length, and the server takes it for the next request.
  const content = text && { 'content-type': contentType, 'content-length': text.length };
  const headers = { ...given.headers, accept, 'user-agent': 'varTrack', ...content };
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const late = (): SinkError => new SinkError('unavailable', `${label}: no answer in time`);
  const call = send(url, { ...given, method, headers, signal }, (response) => {
    const chunks: Buffer[] = [];
    let size = 0;
    response.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxAnswerBytes) call.destroy(new SinkError('rejected', `${label}: the answer is above ${maxAnswerBytes} bytes`));
      else chunks.push(chunk);
    });
    response.on('error', reject);
    response.on('end', () => {
      // An answer that broke off is none.
      if (!response.complete) return reject(new SinkError('unavailable', `${label}: the connection was lost`));
      const seconds = Number(response.headers['retry-after'] ?? Number.NaN);
      const retryAfterMs = Number.isFinite(seconds) ? seconds * 1_000 : undefined;
      resolve({ status: response.statusCode ?? 0, body: parsed(Buffer.concat(chunks).toString('utf8')), retryAfterMs });
    });
  });
  const whole = setTimeout(() => call.destroy(late()), requestTimeout);
  const connecting = setTimeout(() => call.destroy(late()), connectTimeout);
  call.on('socket', (socket) => {
    if (call.reusedSocket) clearTimeout(connecting);
    else socket.once('secureConnect', () => clearTimeout(connecting));
  });
  call.on('error', reject);
  call.end(text);
  try {
    return await promise;
  } catch (error) {
    throw connectionError(label, error);
  } finally {
    clearTimeout(whole);
    clearTimeout(connecting);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
