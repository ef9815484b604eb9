import { SinkError, type SinkErrorReason } from '../errors.ts';
import type { Answer } from '../kubernetes/api-server.ts';

/** What was asked, for the message of a refusal. */
export interface Asked {
  readonly label: string;
  readonly verb: string;
  readonly resource: string;
  readonly namespace: string;
}

/** What went wrong, in our words only: the message of an answer may quote values. */
export function refusalError(asked: Asked, refusal: Answer): SinkError {
  const { label, verb, resource, namespace } = asked;
  const { status, retryAfterMs } = refusal;
  const { reason, kind, causes, text } = partsOf(refusal.body);
  const error = (why: SinkErrorReason, what: string): SinkError => new SinkError(why, `${label}: ${what}`);
  if (status === 401) return error('unauthorized', 'the API server does not know us (401); check the token, or what the kubeconfig says of the user');
  if (causes.includes('NamespaceTerminating')) return error('rejected', `the namespace ${namespace} is being removed`);
  if (status === 403 && /exceeded quota/.test(text)) return error('rejected', `the quota of the namespace ${namespace} is used up`);
  if (/admission webhook/.test(text)) return error('rejected', 'an admission webhook of the cluster refused it; ask who runs it');
  if (status === 403)
    return error('unauthorized', `the user may not ${verb} ${resource} in the namespace ${namespace}; docs/sinks/configmap.md has a Role with what is needed`);
  if (status === 404 && kind === 'namespaces') return error('rejected', `there is no namespace ${namespace}; make it, or correct the place`);
  if (status === 404 && verb !== 'get' && reason === 'NotFound' && kind === resource) return error('conflict', 'it was removed since it was read');
  if (status === 404) return error('rejected', 'the server answers 404 as no API server does; check its address');
  if (status === 409) return error('conflict', 'somebody else wrote it since it was read');
  if (status === 413 || causes.includes('FieldValueTooLong') || /etcdserver: request is too large/.test(text))
    return error('too-large', 'it is larger than Kubernetes takes; split it');
  if (status === 422 && /immutable/.test(text)) return error('rejected', IMMUTABLE);
  if (status === 429) {
    const details = retryAfterMs === undefined ? {} : { retryAfterMs };
    return new SinkError('throttled', `${label}: the API server asks to be called less often`, details);
  }
  if (status >= 500) return error('unavailable', `the API server failed with ${status}`);
  return error('rejected', `the API server refused the request with ${status} ${reason}`.trimEnd());
}

export const IMMUTABLE = 'it is immutable, so that nothing can change its data; delete it to have it made anew, or choose another name';

interface Parts {
  readonly reason: string;
  /** Plural resource that the answer is about, such as `namespaces`. */
  readonly kind: string;
  readonly causes: readonly string[];
  readonly text: string;
}

function partsOf(body: unknown): Parts {
  const given = (typeof body === 'object' && body !== null ? body : {}) as {
    readonly reason?: unknown;
    readonly message?: unknown;
    readonly details?: { readonly kind?: unknown; readonly causes?: unknown } | null;
  };
  const causes = Array.isArray(given.details?.causes) ? given.details.causes : [];
  return {
    reason: wordOf(given.reason),
    kind: wordOf(given.details?.kind),
    causes: causes.map((cause: unknown) => wordOf((cause as { readonly reason?: unknown } | null)?.reason)),
    text: typeof given.message === 'string' ? given.message : '',
  };
}

function wordOf(text: unknown): string {
  return typeof text === 'string' && /^[A-Za-z]{1,60}$/.test(text) ? text : '';
}
