import { SinkError, type SinkErrorReason } from '../errors.ts';
import { isTlsCode } from '../tls-code.ts';

const NO_PERMISSION = 'the credentials have no permission for it; docs/sinks/s3.md has the policy';

const KNOWN: Readonly<Record<string, readonly [reason: SinkErrorReason, message: string]>> = {
  NoSuchBucket: ['rejected', 'there is no such bucket; make it, or correct the place'],
  PermanentRedirect: ['rejected', 'the bucket is in another region; correct region'],
  AuthorizationHeaderMalformed: ['rejected', 'the bucket is in another region; correct region'],
  InvalidObjectState: ['rejected', 'the object is archived; restore it to a storage class that can be read'],
  InvalidAccessKeyId: ['unauthorized', 'the access key is not known; check credentials'],
  SignatureDoesNotMatch: ['unauthorized', 'the secret access key is wrong; check credentials'],
  ExpiredToken: ['unauthorized', 'the session token has expired; renew it'],
  InvalidToken: ['unauthorized', 'the session token is not valid; renew it'],
  RequestTimeTooSkewed: ['unauthorized', 'the clock of this machine is wrong; set it'],
  AccessDenied: ['unauthorized', NO_PERMISSION],
  CredentialsProviderError: ['unauthorized', 'no credentials were found; set credentials, or what the AWS SDK looks for'],
  PreconditionFailed: ['conflict', 'it changed since it was read'],
  ConditionalRequestConflict: ['conflict', 'somebody else writes it at the same time'],
  OperationAborted: ['conflict', 'somebody else writes it at the same time'],
  NoSuchKey: ['conflict', 'it was removed since it was read'],
  EntityTooLarge: ['too-large', 'it is larger than the server takes'],
  NotImplemented: ['unsupported', 'the server does not implement what the sink needs'],
};

/** Throttling has many names; the SDK knows them as these. */
const THROTTLED = /^(SlowDown|Throttl\w*|TooManyRequests\w*|RequestLimitExceeded|RequestThrottled\w*|BandwidthLimitExceeded)$/;

/** What went wrong, without the cause: the SDK's error carries the request's headers and the server's own text. */
export function s3Error(label: string, error: unknown): SinkError {
  if (error instanceof SinkError) return error;
  const { name, code, status, retryAfter } = partsOf(error);
  const known = KNOWN[name] ?? KNOWN[code];
  if (known) return new SinkError(known[0], `${label}: ${known[1]}`);
  if (THROTTLED.test(name) || status === 429 || (status === 503 && retryAfter !== undefined))
    return new SinkError('throttled', `${label}: the server asks to be called less often`, retryAfter === undefined ? {} : { retryAfterMs: retryAfter });
  if (name.startsWith('KMS.')) return new SinkError('rejected', `${label}: the key of the encryption cannot be used (${name})`);
  if (status === undefined) return connectionError(label, name, code);
  if (status === 301 || status === 307) return new SinkError('rejected', `${label}: the bucket is in another region; correct region`);
  if (status === 401 || status === 403) return new SinkError('unauthorized', `${label}: ${NO_PERMISSION} (${name})`);
  if (status === 412 || status === 409) return new SinkError('conflict', `${label}: it changed since it was read`);
  if (status === 501) return new SinkError('unsupported', `${label}: the server does not implement what the sink needs`);
  if (status >= 500) return new SinkError('unavailable', `${label}: the server failed with ${status} ${name}`);
  return new SinkError('rejected', `${label}: the server refused the request with ${status} ${name}`);
}

function connectionError(label: string, name: string, code: string): SinkError {
  if (isTlsCode(code)) return new SinkError('rejected', `${label}: the TLS connection failed (${code}); check endpoint and ca`);
  if (/Timeout/.test(name) || code === 'ETIMEDOUT') return new SinkError('unavailable', `${label}: no answer in time`);
  return new SinkError('unavailable', `${label}: not reachable (${code || name || 'connection lost'})`);
}

interface Parts {
  readonly name: string;
  readonly code: string;
  readonly status: number | undefined;
  readonly retryAfter: number | undefined;
}

function partsOf(error: unknown): Parts {
  const given = (typeof error === 'object' && error !== null ? error : {}) as {
    readonly name?: unknown;
    readonly code?: unknown;
    readonly $metadata?: { readonly httpStatusCode?: number };
    readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
  };
  const seconds = Number(given.$response?.headers?.['retry-after'] ?? Number.NaN);
  return {
    name: wordOf(given.name),
    code: wordOf(given.code),
    status: given.$metadata?.httpStatusCode,
    retryAfter: Number.isFinite(seconds) ? seconds * 1000 : undefined,
  };
}

/** A code and nothing else: what a server puts in its place could quote anything. */
function wordOf(text: unknown): string {
  return typeof text === 'string' && /^[A-Za-z0-9._-]{1,60}$/.test(text) ? text : '';
}
