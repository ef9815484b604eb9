import type { Agent, Dispatcher } from 'undici';
import type { CredentialReference } from '../../domain/bundle.ts';
import { abortable } from '../abortable.ts';
import { SinkError } from '../errors.ts';
import { readCredential } from '../read-credential.ts';
import type { ResolveCredential } from '../sink.ts';
import { connectionError, refusalError } from './consul-error.ts';
import { encodeOperations, type Operation } from './operations.ts';
import type { ConsulOptions } from './options.ts';

/** The requests that the sink makes. All throw SinkError and stop at the signal; none is ever repeated. */
export interface ConsulClient {
  /** All operations or none. Throws `conflict` where a condition did not hold. Gives the text of the answer. */
  transact(label: string, operations: readonly Operation[], signal: AbortSignal): Promise<string>;
  /** Puts one value, which may be larger than a transaction takes; false if the key has another index. */
  put(label: string, key: string, put: { readonly value: Buffer; readonly flags: string; readonly index: string }, signal: AbortSignal): Promise<boolean>;
  /** How a key, or all that begins with a prefix, stands; after `after`, as soon as it is at another index, or when `waitMs` are over. */
  ask(label: string, asked: Asked, after: { readonly index: string; readonly waitMs: number } | null, signal: AbortSignal): Promise<Standing>;
  close(): Promise<void>;
}

export type Asked = { readonly key: string } | { readonly prefix: string };

export interface Standing {
  /** Of the last change; decimal, since it has 64 bits. Where nothing is there, of any change in the store. */
  readonly index: string;
  readonly isThere: boolean;
}

interface Message {
  readonly method: 'GET' | 'PUT';
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** How long the server may take on purpose. */
  readonly waitMs?: number;
}

interface Answer {
  /** 404 is one to a GET. */
  readonly status: number;
  readonly text: string;
  readonly index: string | undefined;
}

// A token that was rotated is picked up that soon; one that is refused, with the next request.
const TOKEN_FOR_MS = 60_000;

/** The library is loaded, and credentials are read, when the first request is made. */
export function createConsulClient(options: ConsulOptions, resolve: ResolveCredential, maxSockets = MAX_SOCKETS): ConsulClient {
  const closing = new AbortController();
  const agents = new Set<Agent>();
  let opened: Promise<Opened> | undefined;
  let token: { readonly text: Promise<string>; readonly until: number } | undefined;

  function read<Reference extends CredentialReference | undefined>(reference: Reference) {
    return readCredential(`consul ${options.url}`, resolve, reference);
  }

  async function open(): Promise<Opened> {
    const { ca, cert, key, servername } = options.tls ?? {};
    const [undici, ...pems] = await Promise.all([import('undici'), ...[ca, cert, key].map(read)]);
    const given = Object.entries({ ca: pems[0], cert: pems[1], key: pems[2], servername }).filter(([, value]) => value !== undefined);
    const connect = { timeout: options.connectTimeout, ...Object.fromEntries(given) };
    const agent = new undici.Agent({ connect, headersTimeout: options.requestTimeout, bodyTimeout: options.requestTimeout, connections: maxSockets });
    agents.add(agent);
    return { agent, request: undici.request };
  }

  async function tokenText(): Promise<string | undefined> {
    if (!options.token) return undefined;
    if (!token || token.until < Date.now()) token = { text: read(options.token), until: Date.now() + TOKEN_FOR_MS };
    const { text } = token;
    return text.catch((error: unknown) => {
      token = undefined;
      throw error;
    });
  }

  async function send(label: string, { method, path, query, body = '', waitMs = 0 }: Message, signal: AbortSignal): Promise<Answer> {
    const { datacenter: dc, namespace: ns, partition } = options;
    const scope = Object.entries({ ...query, dc, ns, partition }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
    const url = `${new URL(options.url).origin}${path}?${new URLSearchParams(scope as [string, string][]).toString()}`;
    const headersTimeout = waitMs + options.requestTimeout;
    const limit = AbortSignal.any([signal, closing.signal, AbortSignal.timeout(options.connectTimeout + headersTimeout)]);
    const refuse = (): SinkError =>
      new SinkError(
        'unavailable',
        `${label}: ${closing.signal.aborted ? 'the sink was closed' : signal.aborted ? 'the call was cancelled' : 'no answer in time'}`,
      );
    if (limit.aborted) throw refuse();
    const mine = (opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    }));
    try {
      // Credentials are read without a signal.
      const [{ agent, request }, secret] = await abortable(limit, refuse, () => Promise.all([mine, tokenText()]));
      const headers = secret === undefined ? {} : { 'x-consul-token': secret };
      const content = method === 'PUT' ? { body } : {};
      const answer = await request(url, { method, ...content, headers, headersTimeout, dispatcher: agent, signal: limit });
      const text = await answer.body.text();
      if (answer.statusCode === 200 || (answer.statusCode === 404 && method === 'GET'))
        return { status: answer.statusCode, text, index: headerOf(answer, 'x-consul-index') };
      if (answer.statusCode === 403) token = undefined;
      throw refusalError(label, { status: answer.statusCode, text, retryAfter: headerOf(answer, 'retry-after') });
    } catch (error) {
      if (limit.aborted) throw refuse();
      const failure = connectionError(label, error);
      // Certificates may have been renewed since they were read.
      if (failure !== error && failure.reason === 'rejected' && opened === mine) {
        opened = undefined;
        void mine
          .then(({ agent }) => {
            agents.delete(agent);
            return agent.close();
          })
          .catch(() => undefined);
      }
      throw failure;
    }
  }

  return {
    transact: async (label, operations, signal) => {
      const query = { consistent: '' };
      return (await send(label, { method: 'PUT', path: '/v1/txn', query, body: encodeOperations(operations) }, signal)).text;
    },
    put: async (label, key, { value, flags, index }, signal) => {
      const { text } = await send(label, { method: 'PUT', path: pathOf(key), query: { cas: index, flags }, body: value }, signal);
      return text.trim() === 'true';
    },
    ask: async (label, asked, after, signal) => {
      // Of a prefix the names alone, and of folders below it one.
      const what = 'key' in asked ? { path: pathOf(asked.key), query: {} } : { path: pathOf(asked.prefix), query: { keys: '', separator: '/' } };
      const waiting = after ? { index: after.index, wait: `${after.waitMs}ms` } : {};
      // The server adds up to a sixteenth, so that not all come back at once.
      const waitMs = after ? Math.ceil((after.waitMs * 17) / 16) : 0;
      const { status, index = '' } = await send(label, { method: 'GET', path: what.path, query: { ...what.query, ...waiting }, waitMs }, signal);
      if (!/^\d+$/.test(index)) throw new SinkError('unavailable', `${label}: the answer is none of Consul's; check url`);
      return { index, isThere: status === 200 };
    },
    close: async () => {
      closing.abort();
      await Promise.all([...agents].map((agent) => agent.destroy()));
    },
  };
}

const MAX_SOCKETS = 16;

function pathOf(key: string): string {
  return `/v1/kv/${key.split('/').map(encodeURIComponent).join('/')}`;
}

interface Opened {
  readonly agent: Agent;
  readonly request: (
    url: string,
    options: { readonly dispatcher: Dispatcher } & Omit<Dispatcher.RequestOptions, 'path' | 'origin'>,
  ) => Promise<Dispatcher.ResponseData>;
}

function headerOf({ headers }: Dispatcher.ResponseData, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}
