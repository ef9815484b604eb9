import { SinkError, type SinkErrorReason } from '../errors.ts';
import type { Answer, ApiServer } from './api-server.ts';

/** The objects of one kind in one namespace, perhaps only those with some labels. */
export interface Watched {
  readonly namespace: string;
  readonly resource: 'configmaps' | 'secrets';
  readonly labelSelector?: string;
}

/** What an event tells of its object; of what is in it nothing travels. */
export interface Metadata {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Told {
  /** From now on changes are told; what changed before was not. */
  standing(): void;
  changed(object: Metadata): void;
}

/** Settings that tests shorten. */
export interface WatchTimes {
  /** After which the server ends a request as agreed, so that a renewed credential is used and one that was lost is noticed. */
  readonly lifetimeMs: number;
  /** Bookmarks come every minute. */
  readonly idleTimeout: number;
}

const TIMES: WatchTimes = { lifetimeMs: 300_000, idleTimeout: 150_000 };
const LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=1,application/json';
const EVENT = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=1,application/json';

/** Tells of changes until the signal aborts or the watch is lost. Throws SinkError as `Sink.watch` does. */
export async function watchObjects(server: ApiServer, watched: Watched, told: Told, signal: AbortSignal, times: WatchTimes = TIMES): Promise<void> {
  const { namespace, resource, labelSelector } = watched;
  const label = `watch of ${resource} in ${namespace}`;
  const path = `/api/v1/namespaces/${namespace}/${resource}?`;
  const selector = labelSelector === undefined ? {} : { labelSelector };

  /** From where a watch has to begin so that it misses nothing. */
  async function present(): Promise<string> {
    const answer = await server.send(label, { method: 'GET', path: path + String(new URLSearchParams({ ...selector, limit: '1' })), accept: LIST }, signal);
    if (answer.status !== 200) throw refusal(watched, label, 'list', answer);
    const version = partsOf(answer.body).resourceVersion;
    if (version === '') throw new SinkError('unavailable', `${label}: the answer is no list`);
    return version;
  }

  let version: string | null = null;
  while (!signal.aborted) {
    const isNew: boolean = version === null;
    const start: string = version ?? (await present());
    let current = start;
    const failures: Answer[] = [];
    const query = {
      ...selector,
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: start,
      timeoutSeconds: String(Math.ceil(times.lifetimeMs / 1000)),
    };
    const began = performance.now();
    const { status, text } = await server.stream(
      label,
      {
        path: path + String(new URLSearchParams(query)),
        accept: EVENT,
        idleTimeout: times.idleTimeout,
        onOpen: () => {
          if (isNew) told.standing();
        },
        onLine: (line) => {
          const { type, object } = (parsed(line) ?? {}) as { readonly type?: unknown; readonly object?: unknown };
          const { resourceVersion, name, labels, code } = partsOf(object);
          if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') told.changed({ name, labels });
          else if (type !== 'BOOKMARK') failures.push({ status: code, body: object, retryAfterMs: undefined });
          if (failures.length === 0 && resourceVersion !== '') current = resourceVersion;
        },
      },
      signal,
    );
    if (status !== 200) failures.push({ status, body: parsed(text), retryAfterMs: undefined });
    const [failure] = failures;
    // The server remembers changes for some minutes only. What happened since is not known: it begins anew, and everything is told.
    const isGone = failure?.status === GONE;
    if (failure && !isGone) throw refusal(watched, label, 'watch', failure);
    if (isGone ? isNew && current === start : performance.now() - began < SHORT_MS) throw new SinkError('unavailable', `${label}: the server ended it at once`);
    version = isGone ? null : current;
  }
}

const GONE = 410;
/** Something between us and the server that keeps no connection open must not be asked in a circle. */
const SHORT_MS = 500;

function refusal({ namespace, resource }: Watched, label: string, verb: string, { status, retryAfterMs }: Answer): SinkError {
  const sink = resource === 'secrets' ? 'helm' : 'configmap';
  const error = (reason: SinkErrorReason, what: string): SinkError => new SinkError(reason, `${label}: ${what}`);
  if (status === 401) return error('unauthorized', 'the API server does not know us (401); check the token, or what the kubeconfig says of the user');
  if (status === 403) {
    const advice = `docs/sinks/${sink}.md has a Role with it; until then targets are polled`;
    return error('unsupported', `the user may not ${verb} ${resource} in the namespace ${namespace}; ${advice}`);
  }
  const later = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 429) return new SinkError('throttled', `${label}: the API server asks to be called less often`, later);
  return error('unavailable', status === 0 ? 'the answer is no watch' : `the API server ended it with ${status}`);
}

function partsOf(object: unknown): Metadata & { readonly resourceVersion: string; readonly code: number } {
  const { metadata, code } = Object(object) as { readonly metadata?: unknown; readonly code?: unknown };
  const { resourceVersion, name, labels } = Object(metadata) as Record<string, unknown>;
  return {
    resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : '',
    name: typeof name === 'string' ? name : '',
    labels: Object(labels) as Readonly<Record<string, string>>,
    code: typeof code === 'number' ? code : 0,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
