import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { Agent, request as sendRequest } from 'undici';
import type { SecretManager } from '../../domain/bundle.ts';
import type { ResolveCredential } from '../../sinks/sink.ts';
import { abortable } from './abortable.ts';
import { connectionError } from './connection-error.ts';
import { parseExactly } from './exact-json.ts';
import { ownCredential } from './own-credential.ts';
import { SecretError } from './secret-error.ts';

export interface VaultRequest {
  readonly method: 'GET' | 'POST';
  /** Below `/v1/`, encoded, with its query. */
  readonly path: string;
  readonly token?: string;
  readonly body?: object;
}

/** An answer that says something: neither 429 nor a failure of the server, which are retried here. */
export interface VaultAnswer {
  readonly status: number;
  /** Undefined if there is none or it is not JSON. Numbers that a double cannot hold are `JSON.rawJSON`. */
  readonly body: unknown;
}

export interface VaultHttp {
  /** Throws SecretError where there is no answer after all, and the reason of the signal. */
  send(request: VaultRequest, signal: AbortSignal): Promise<VaultAnswer>;
  close(): Promise<void>;
}

export interface VaultPlace {
  readonly name: string;
  readonly manager: SecretManager;
}

const REQUEST_TIMEOUT_MS = 10_000;
const CONCURRENCY = 16;
const ATTEMPTS = 3;
const FIRST_WAIT_MS = 200;
/** A server that asks for more is told of instead. */
const LONGEST_WAIT_MS = 2_000;
/** Vault takes a secret of 1 MiB at most by default. */
const MAX_ANSWER_BYTES = 8 * 1024 ** 2;

/** The HTTP API of one server. The library is loaded, and the certificate read, with the first request. */
export function createVaultHttp({ name, manager }: VaultPlace, resolve: ResolveCredential): VaultHttp {
  const timeoutMs = manager.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
  const base = manager.address.replace(/\/+$/, '');
  const closing = new AbortController();
  const limit = pLimit(CONCURRENCY);
  const agents = new Set<Agent>();
  let opened: Promise<Opened> | undefined;

  async function open(): Promise<Opened> {
    const [undici, ca] = await Promise.all([import('undici'), manager.tls?.ca && ownCredential(name, manager.tls.ca, resolve)]);
    const connect = { timeout: timeoutMs, ...(ca && { ca }), ...(manager.tls?.servername && { servername: manager.tls.servername }) };
    const agent = new undici.Agent({ connect, headersTimeout: timeoutMs, bodyTimeout: timeoutMs, connections: CONCURRENCY, maxResponseSize: MAX_ANSWER_BYTES });
    agents.add(agent);
    return { agent, request: undici.request };
  }

  /** The certificate may have been renewed since it was read. */
  function reopenNext(mine: Promise<Opened>): void {
    if (opened === mine) opened = undefined;
    void mine.then(
      ({ agent }) => {
        agents.delete(agent);
        return agent.close();
      },
      () => undefined,
    );
  }

  async function sendOnce({ method, path, token, body }: VaultRequest, signal: AbortSignal): Promise<VaultAnswer & { readonly retryAfterMs: number }> {
    const within = AbortSignal.any([signal, closing.signal, AbortSignal.timeout(timeoutMs)]);
    const mine = (opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    }));
    try {
      const { agent, request } = await abortable(mine, within);
      const headers = {
        // Vault refuses requests without it where it listens for an agent.
        'x-vault-request': 'true',
        ...(manager.namespace !== undefined && { 'x-vault-namespace': manager.namespace }),
        ...(token !== undefined && { 'x-vault-token': token }),
        ...(body && { 'content-type': 'application/json' }),
      };
      const answer = await request(`${base}/v1/${path}`, { method, headers, dispatcher: agent, signal: within, ...(body && { body: JSON.stringify(body) }) });
      const text = await answer.body.text();
      return { status: answer.statusCode, body: parseExactly(text), retryAfterMs: Number(answer.headers['retry-after'] ?? 0) * 1_000 || 0 };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (closing.signal.aborted) throw new SecretError('unavailable', { manager: name }, 'the connection was closed');
      const failure = connectionError({ name, manager }, error, timeoutMs);
      if (failure.reason === 'rejected') reopenNext(mine);
      throw failure;
    }
  }

  async function send(request: VaultRequest, signal: AbortSignal): Promise<VaultAnswer> {
    for (let attempt = 1; ; attempt += 1) {
      const tried = await sendOnce(request, signal).catch((error: unknown) => {
        if (error instanceof SecretError && error.retryable) return error;
        throw error;
      });
      if (!(tried instanceof SecretError) && !isPassing(tried.status)) return tried;
      const failure = tried instanceof SecretError ? tried : passingError({ name, manager }, tried);
      const askedMs = tried instanceof SecretError ? 0 : tried.retryAfterMs;
      if (attempt === ATTEMPTS || askedMs > LONGEST_WAIT_MS || closing.signal.aborted) throw failure;
      const waitMs = Math.max(FIRST_WAIT_MS * 2 ** (attempt - 1) * (0.5 + Math.random()), askedMs);
      await delay(waitMs, undefined, { signal: AbortSignal.any([signal, closing.signal]) }).catch(() => undefined);
      if (signal.aborted) throw signal.reason;
    }
  }

  return {
    send: async (request, signal) => {
      if (signal.aborted) throw signal.reason;
      // A request that waits for its turn must not outwait its signal.
      return abortable(
        limit(() => (signal.aborted ? Promise.reject(signal.reason as Error) : send(request, signal))),
        signal,
      );
    },
    close: async () => {
      closing.abort();
      await Promise.all([...agents].map((agent) => agent.destroy()));
    },
  };
}

interface Opened {
  readonly agent: Agent;
  readonly request: typeof sendRequest;
}

/** 412: a replica has not seen the newest write yet. 472 and 473: a replica that cannot answer. */
function isPassing(status: number): boolean {
  return status === 429 || status >= 500 || status === 412 || status === 472 || status === 473;
}

function passingError({ name, manager }: VaultPlace, { status, body }: VaultAnswer): SecretError {
  const place = { manager: name };
  if (status === 429) return new SecretError('throttled', place, `${manager.address} asks to be called less often (429); raise its rate limit quota`);
  const isSealed = status === 503 && /sealed/i.test(JSON.stringify(body ?? ''));
  return new SecretError('unavailable', place, isSealed ? `${manager.address} is sealed; unseal it` : `${manager.address} failed with ${status}`);
}
