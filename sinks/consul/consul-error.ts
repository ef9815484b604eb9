import { SinkError } from '../errors.ts';
import { isTlsCode } from '../tls-code.ts';

const NO_PERMISSION = 'the token has no permission for it; docs/sinks/consul.md has the policy';
const CHANGED = 'it changed since it was read';

export interface Refusal {
  readonly status: number;
  readonly text: string;
  /** Seconds, of the header. */
  readonly retryAfter: string | undefined;
}

/** What an answer other than 200 means. Of its text only known phrases are used, and none is passed on. */
export function refusalError(label: string, { status, text, retryAfter }: Refusal): SinkError {
  if (status === 403) return new SinkError('unauthorized', `${label}: ${/ACL not found/i.test(text) ? 'the token is not known' : NO_PERMISSION}`);
  if (status === 401) return new SinkError('unauthorized', `${label}: it asks for a token; set token`);
  if (status === 409) return transactionError(label, text);
  if (status === 413) return new SinkError('too-large', `${label}: it is larger than the server takes (kv_max_value_size, txn_max_req_len)`);
  if (status === 429 || /rate limit/i.test(text)) {
    const seconds = Number(retryAfter ?? Number.NaN);
    return new SinkError('throttled', `${label}: the server asks to be called less often`, Number.isFinite(seconds) ? { retryAfterMs: seconds * 1_000 } : {});
  }
  if (/No path to datacenter/i.test(text)) return new SinkError('rejected', `${label}: it knows no such datacenter; correct datacenter`);
  if (/Enterprise feature/i.test(text)) return new SinkError('rejected', `${label}: it has no namespaces and partitions; remove namespace and partition`);
  if (status >= 500) return new SinkError('unavailable', `${label}: the server failed with ${status}`);
  return new SinkError('rejected', `${label}: the server refused the request with ${status}; check url`);
}

/** Why a transaction was rolled back. Consul says with one status that a condition did not hold and that the token may not ask. */
function transactionError(label: string, text: string): SinkError {
  const reasons = whatOf(text);
  if (reasons.some((what) => /^permission denied/i.test(what))) return new SinkError('unauthorized', `${label}: ${NO_PERMISSION}`);
  if (reasons.some((what) => /^unknown KV operation/i.test(what))) return new SinkError('unsupported', `${label}: the server is older than Consul 1.16`);
  if (reasons.length > 0 && reasons.every((what) => /index is stale$|^failed index check|doesn't exist$|" exists$/i.test(what)))
    return new SinkError('conflict', `${label}: ${CHANGED}`);
  return new SinkError('rejected', `${label}: the server refused the transaction`);
}

function whatOf(text: string): readonly string[] {
  try {
    const { Errors } = JSON.parse(text) as { readonly Errors?: readonly { readonly What?: unknown }[] };
    return (Errors ?? []).map(({ What }) => String(What));
  } catch {
    return [];
  }
}

/** Why there was no answer, by its code alone: the client's error may hold the request. */
export function connectionError(label: string, error: unknown): SinkError {
  if (error instanceof SinkError) return error;
  const code = codeOf(error);
  // A plain server that is asked for TLS.
  if (isTlsCode(code) || code.includes('EPROTO')) return new SinkError('rejected', `${label}: the TLS connection failed (${code}); check url and tls`);
  if (/TIMEOUT|TIMEDOUT/.test(code) || (error instanceof Error && error.name === 'TimeoutError'))
    return new SinkError('unavailable', `${label}: no answer in time`);
  return new SinkError('unavailable', `${label}: not reachable (${code || 'connection lost'})`);
}

function codeOf(error: unknown): string {
  const { code, cause } = (typeof error === 'object' && error !== null ? error : {}) as { readonly code?: unknown; readonly cause?: unknown };
  if (typeof code === 'string' && /^[A-Z0-9_]{1,60}$/.test(code)) return code;
  return cause === undefined ? '' : codeOf(cause);
}
