import { SinkError } from '../errors.ts';

/** Codes that the API has for a variable of the same name, target and branch. */
export const CONFLICTS: readonly string[] = ['ENV_CONFLICT', 'ENV_ALREADY_EXISTS'];

/** What went wrong, without the cause: the SDK's error carries the request with its headers and values. */
export function vercelError(label: string, error: unknown, now: number = Date.now()): SinkError {
  if (error instanceof SinkError) return error;
  const { name, status, code, reset } = partsOf(error);
  if (CONFLICTS.includes(code)) return new SinkError('conflict', `${label}: a variable was made since it was read`);
  if (status === undefined) return connectionError(label, name);
  const tail = code === '' ? '' : ` (${code})`;
  if (status === 429) {
    const retryAfterMs = reset === undefined ? undefined : Math.max(reset - now, 0);
    return new SinkError('throttled', `${label}: Vercel asks to be called less often`, retryAfterMs === undefined ? {} : { retryAfterMs });
  }
  if (status === 401 || status === 403)
    return new SinkError('unauthorized', `${label}: the token is not valid, or has no permission for it${tail}; docs/sinks/vercel.md says what it needs`);
  if (status === 404) return new SinkError('rejected', `${label}: there is no such project, or it belongs to another team; correct the place, or teamId`);
  if (status === 409) return new SinkError('conflict', `${label}: it changed since it was read${tail}`);
  if (status === 413) return new SinkError('too-large', `${label}: the request is larger than Vercel takes`);
  if (status >= 500) return new SinkError('unavailable', `${label}: Vercel failed with ${status}${tail}`);
  // The SDK found an answer that it does not know.
  if (status < 300) return new SinkError('rejected', `${label}: the answer is not what the API promises; a newer varTrack may know it`);
  return new SinkError('rejected', `${label}: Vercel refused the request with ${status}${tail}`);
}

/** When the server wants to be asked again, epoch milliseconds; undefined unless it says so. */
export function resetOf(error: unknown): number | undefined {
  const { status, reset } = partsOf(error);
  return status === 429 ? reset : undefined;
}

function connectionError(label: string, name: string): SinkError {
  if (/Timeout|Abort/.test(name)) return new SinkError('unavailable', `${label}: no answer in time`);
  if (name === 'SDKValidationError') return new SinkError('rejected', `${label}: the SDK does not take the request`);
  return new SinkError('unavailable', `${label}: Vercel is not reachable`);
}

interface Parts {
  readonly name: string;
  readonly status: number | undefined;
  readonly code: string;
  readonly reset: number | undefined;
}

function partsOf(error: unknown): Parts {
  const given = (typeof error === 'object' && error !== null ? error : {}) as {
    readonly name?: unknown;
    readonly statusCode?: unknown;
    readonly body?: unknown;
    readonly headers?: Headers;
  };
  const body = errorOf(given.body);
  const limit = body['limit'] as { readonly reset?: unknown } | undefined;
  const reset = Number(limit?.reset ?? given.headers?.get('x-ratelimit-reset') ?? Number.NaN);
  return {
    name: wordOf(given.name),
    status: typeof given.statusCode === 'number' ? given.statusCode : undefined,
    code: wordOf(body['code']),
    // Vercel has both spellings: seconds and milliseconds.
    reset: Number.isFinite(reset) ? (reset < 1e11 ? reset * 1000 : reset) : undefined,
  };
}

function errorOf(body: unknown): Readonly<Record<string, unknown>> {
  try {
    const { error } = JSON.parse(String(body)) as { readonly error?: unknown };
    return typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** A code and nothing else: what a server puts in its place could quote anything. */
function wordOf(text: unknown): string {
  return typeof text === 'string' && /^[A-Za-z0-9._-]{1,60}$/.test(text) ? text : '';
}
