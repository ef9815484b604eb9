import { SinkError } from '../errors.ts';
import type { Answer, ApiServer, Call } from '../kubernetes/api-server.ts';
import { watchObjects, type Told } from '../kubernetes/watch.ts';
import { refusalError, type Asked } from './kubernetes-error.ts';

/** A ConfigMap as the API server gives it, as far as the sink looks at it. */
export interface ConfigMap {
  readonly metadata: {
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly unknown[];
    readonly finalizers?: readonly string[];
    readonly deletionTimestamp?: string;
  };
  readonly data?: Readonly<Record<string, string>>;
  /** Base64. */
  readonly binaryData?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
}

/** A merge patch: what is named changes, null goes away, all else stays byte for byte. */
export interface ConfigMapPatch {
  readonly metadata: { readonly labels?: Changes; readonly annotations?: Changes };
  readonly data?: Changes;
  readonly binaryData?: Changes;
}
export type Changes = Readonly<Record<string, string | null>>;

interface Deployment {
  readonly spec?: { readonly template?: { readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> } } };
}

export interface Address {
  readonly namespace: string;
  readonly name: string;
}

/** The few calls that the sink makes, one request each but for `watch`. They throw SinkError; every write of a ConfigMap is conditional. */
export interface ConfigMaps {
  /** Null where the API server says that there is none. */
  get(at: Address, signal: AbortSignal): Promise<ConfigMap | null>;
  /** Throws `conflict` where there is one. */
  create(at: Address, content: ConfigMapPatch, signal: AbortSignal): Promise<ConfigMap>;
  /** Throws `conflict` if it is no longer the one that was read. */
  patch(at: Address, seen: ConfigMap, patch: ConfigMapPatch, signal: AbortSignal): Promise<ConfigMap>;
  delete(at: Address, seen: ConfigMap, signal: AbortSignal): Promise<void>;
  /** Annotations of a Deployment's pod template; null where there is no such Deployment. */
  podAnnotations(at: Address, signal: AbortSignal): Promise<Readonly<Record<string, string>> | null>;
  annotatePods(at: Address, annotations: Changes, signal: AbortSignal): Promise<void>;
  /** Tells of every ConfigMap of the namespace until the signal aborts. */
  watch(namespace: string, told: Told, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

const MANAGER = 'fieldManager=vartrack';

export function createConfigMaps(server: ApiServer): ConfigMaps {
  async function send(asked: Asked, call: Call, signal: AbortSignal): Promise<unknown> {
    const answer = await server.send(asked.label, call, signal);
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    throw refusalError(asked, answer);
  }

  async function getOrNull(asked: Asked, call: Call, name: string, signal: AbortSignal): Promise<unknown> {
    const answer = await server.send(asked.label, call, signal);
    if (isAbsent(answer, asked.resource, name)) return null;
    if (answer.status !== 200) throw refusalError(asked, answer);
    return answer.body;
  }

  return {
    get: async (at, signal) => {
      const body = await getOrNull(asking(at, 'get', 'configmaps'), { method: 'GET', path: pathOf(at) }, at.name, signal);
      return body === null ? null : configMapOf(at, body);
    },
    create: async (at, content, signal) => {
      const { metadata, ...rest } = content;
      const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: at.name, namespace: at.namespace, ...metadata }, ...rest };
      const path = `/api/v1/namespaces/${at.namespace}/configmaps?${MANAGER}`;
      return configMapOf(at, await send(asking(at, 'create', 'configmaps'), { method: 'POST', path, body }, signal));
    },
    patch: async (at, { metadata: { uid, resourceVersion } }, { metadata, ...rest }, signal) => {
      const body = { metadata: { uid, resourceVersion, ...metadata }, ...rest };
      return configMapOf(at, await send(asking(at, 'patch', 'configmaps'), { method: 'PATCH', path: `${pathOf(at)}?${MANAGER}`, body }, signal));
    },
    delete: async (at, { metadata: { uid, resourceVersion } }, signal) => {
      await send(asking(at, 'delete', 'configmaps'), { method: 'DELETE', path: pathOf(at), body: { preconditions: { uid, resourceVersion } } }, signal);
    },
    podAnnotations: async (at, signal) => {
      const body = await getOrNull(asking(at, 'get', 'deployments'), { method: 'GET', path: deploymentOf(at) }, at.name, signal);
      if (body === null) return null;
      const { spec } = (body ?? {}) as Deployment;
      return spec?.template?.metadata?.annotations ?? {};
    },
    annotatePods: async (at, annotations, signal) => {
      const body = { spec: { template: { metadata: { annotations } } } };
      await send(asking(at, 'patch', 'deployments'), { method: 'PATCH', path: `${deploymentOf(at)}?${MANAGER}`, body }, signal);
    },
    watch: (namespace, told, signal) => watchObjects(server, { namespace, resource: 'configmaps' }, told, signal),
    close: () => server.close(),
  };
}

function asking(at: Address, verb: string, resource: string): Asked {
  return { label: `${resource === 'configmaps' ? 'configmap' : 'deployment'} ${at.namespace}/${at.name}`, verb, resource, namespace: at.namespace };
}

function pathOf({ namespace, name }: Address): string {
  return `/api/v1/namespaces/${namespace}/configmaps/${name}`;
}

function deploymentOf({ namespace, name }: Address): string {
  return `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`;
}

/** A 404 of anything but the API server's own word on this very object is a failure, never absence (I3). */
function isAbsent({ status, body }: Answer, resource: string, name: string): boolean {
  if (status !== 404) return false;
  const { kind, reason, details } = (body ?? {}) as { kind?: unknown; reason?: unknown; details?: { kind?: unknown; name?: unknown } };
  return kind === 'Status' && reason === 'NotFound' && details?.kind === resource && details.name === name;
}

function configMapOf(at: Address, body: unknown): ConfigMap {
  const { kind, metadata, data, binaryData } = (body ?? {}) as Record<string, unknown>;
  const { resourceVersion, uid, annotations, labels } = (metadata ?? {}) as Record<string, unknown>;
  const isWhole =
    kind === 'ConfigMap' && typeof resourceVersion === 'string' && typeof uid === 'string' && [data, binaryData, annotations, labels].every(isTexts);
  if (!isWhole) throw new SinkError('unavailable', `configmap ${at.namespace}/${at.name}: the answer is not a ConfigMap`);
  return body as ConfigMap;
}

function isTexts(given: unknown): boolean {
  if (given === undefined || given === null) return true;
  return typeof given === 'object' && Object.values(given).every((text) => typeof text === 'string');
}
