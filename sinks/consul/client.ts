import type { Agent, Dispatcher } from 'undici';
import type { CredentialReference } from '../../domain/bundle.ts';
import { abortable } from '../abortable.ts';
import { SinkError } from '../errors.ts';
import { readCredential } from '../read-credential.ts';
import type { ResolveCredential } from '../sink.ts';
import { connectionError, refusalError } from './consul-error.ts';
import { encodeOperations, type Operation } from './operations.ts';
import type { ConsulOptions } from './options.ts';

/** The two requests that the sink makes. Both throw SinkError and stop at the signal; neither is ever repeated. */
export interface ConsulClient {
  /** All operations or none. Throws `conflict` where a condition did not hold. Gives the text of the answer. */
  transact(label: string, operations: readonly Operation[], signal: AbortSignal): Promise<string>;
  /** Puts one value, which may be larger than a transaction takes; false if the key has another index. */
  put(label: string, key: string, put: { readonly value: Buffer; readonly flags: string; readonly index: string }, signal: AbortSignal): Promise<boolean>;
  close(): Promise<void>;
}

// A token that was rotated is picked up that soon; one that is refused, with the next request.
const TOKEN_FOR_MS = 60_000;

/** The library is loaded, and credentials are read, when the first request is made. */
export function createConsulClient(options: ConsulOptions, resolve: ResolveCredential): ConsulClient {
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
    const agent = new undici.Agent({ connect, headersTimeout: options.requestTimeout, bodyTimeout: options.requestTimeout, connections: MAX_SOCKETS });
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

  async function send(label: string, path: string, query: Readonly<Record<string, string>>, body: string | Buffer, signal: AbortSignal): Promise<string> {
    const { datacenter: dc, namespace: ns, partition } = options;
    const scope = Object.entries({ ...query, dc, ns, partition }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
    const url = `${new URL(options.url).origin}${path}?${new URLSearchParams(scope as [string, string][]).toString()}`;
    const limit = AbortSignal.any([signal, closing.signal, AbortSignal.timeout(options.connectTimeout + options.requestTimeout)]);
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
      const answer = await request(url, { method: 'PUT', body, headers, dispatcher: agent, signal: limit });
      const text = await answer.body.text();
      if (answer.statusCode === 200) return text;
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
    transact: (label, operations, signal) => send(label, '/v1/txn', { consistent: '' }, encodeOperations(operations), signal),
    put: async (label, key, { value, flags, index }, signal) => {
      const path = `/v1/kv/${key.split('/').map(encodeURIComponent).join('/')}`;
      return (await send(label, path, { cas: index, flags }, value, signal)).trim() === 'true';
    },
    close: async () => {
      closing.abort();
      await Promise.all([...agents].map((agent) => agent.destroy()));
    },
  };
}

const MAX_SOCKETS = 16;

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
