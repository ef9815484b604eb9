import { join } from 'node:path';
import { SinkError } from '../errors.ts';
import { createAccess } from '../kubernetes/access.ts';
import { createApiServer, type Answer } from '../kubernetes/api-server.ts';
import { watchObjects, type Told } from '../kubernetes/watch.ts';
import type { Place, ResolveCredential, SinkContext } from '../sink.ts';
import { createCharts } from './charts.ts';
import { complaintOf } from './complaint.ts';
import { openGateway } from './gateway.ts';
import type { HelmFields, HelmOptions } from './options.ts';
import { runHelm, type HelmRun } from './program.ts';
import { recordsOf, type ReleaseRecord } from './records.ts';
import { recordName, releaseName } from './release-name.ts';
import { openScratch, type Scratch } from './scratch.ts';
import type { Labels } from './stored-ledger.ts';

export type HelmPlace = Place<HelmFields>;

/** What the driver does to the world, each one call. All throw SinkError. */
export interface Releases {
  /** All records of the release, oldest first, as they stood at one moment. */
  list(place: HelmPlace, context: SinkContext): Promise<readonly ReleaseRecord[]>;
  /** Changes a record that is still as it was read; `conflict` if it is not. A label that is null goes. */
  patch(place: HelmPlace, record: ReleaseRecord, change: RecordChange, context: SinkContext): Promise<void>;
  /** One run of Helm, which makes the revision `next` (none if null) of a release that is still as it was read, or is a `conflict`. */
  helm(place: HelmPlace, request: HelmRequest, context: SinkContext): Promise<void>;
  /** Tells of every record of the namespace until the signal aborts. */
  watch(namespace: string, told: Told, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface RecordChange {
  readonly labels: Labels | Readonly<Record<string, null>>;
  readonly release?: string;
}

export interface HelmRequest {
  readonly verb: 'upgrade' | 'rollback' | 'uninstall';
  readonly args: readonly string[];
  /** Text of the values file. */
  readonly input?: string;
  readonly keys?: readonly string[];
  readonly next: number | null;
  readonly newest: ReleaseRecord | undefined;
}

/** Ten revisions of a mebibyte each, in base64. */
const MAX_LIST_BYTES = 512 * 1024 * 1024;

export function createReleases(options: HelmOptions, resolve: ResolveCredential): Releases {
  const access = createAccess(options, resolve);
  const api = createApiServer({ ...options, maxAnswerBytes: MAX_LIST_BYTES }, access);
  const closing = new AbortController();
  const running = new Set<Promise<unknown>>();
  let scratch: Promise<Scratch> | undefined;
  const home = async (): Promise<string> => (await (scratch ??= openScratch())).path;
  const charts = createCharts(options, resolve, home, run);

  async function run(request: HelmRun) {
    const path = await home();
    const env = {
      HOME: path,
      HELM_CACHE_HOME: join(path, 'cache'),
      HELM_CONFIG_HOME: join(path, 'config'),
      HELM_DATA_HOME: join(path, 'data'),
      HELM_DRIVER: 'secret',
      KUBECONFIG: join(path, 'none'),
      // What it learns of the API server it keeps by address, and that is another one each time.
      KUBECACHEDIR: '/dev/null/cache',
      LC_ALL: 'C',
    };
    const signal = AbortSignal.any([request.signal, closing.signal]);
    if (signal.aborted) throw new SinkError('unavailable', closing.signal.aborted ? 'the sink was closed' : 'the call was cancelled');
    const gone = runHelm(options.program, { ...request, env: { ...env, ...request.env }, signal });
    const settled = gone.catch(() => undefined);
    running.add(settled);
    return gone.finally(() => running.delete(settled));
  }

  async function list(place: HelmPlace, { signal }: Pick<SinkContext, 'signal'>): Promise<readonly ReleaseRecord[]> {
    const { namespace, release } = releaseName(place.name);
    const path = `${secretsOf(namespace)}?labelSelector=${encodeURIComponent(`owner=helm,name=${release}`)}`;
    const answer = await api.send(place.name, { method: 'GET', path }, signal);
    if (answer.status !== 200) throw refusal(place.name, 'list', answer);
    return recordsOf(answer.body, place.name);
  }

  return {
    list,
    async patch(place, record, { labels, release }, { signal }) {
      const path = `${secretsOf(releaseName(place.name).namespace)}/${record.name}`;
      const body = { metadata: { resourceVersion: record.resourceVersion, labels }, ...(release === undefined ? {} : { data: { release } }) };
      const answer = await api.send(place.name, { method: 'PATCH', path, body }, signal);
      if (answer.status === 409 || answer.status === 404) throw new SinkError('conflict', `${place.name}: the release moved since it was read`);
      if (answer.status !== 200) throw refusal(place.name, 'patch', answer);
    },
    async helm(place, request, context) {
      const { namespace, release } = releaseName(place.name);
      const { fields } = place;
      const chart = request.verb === 'upgrade' ? [await named(place, charts.pathOf(fields.chart, AbortSignal.any([context.signal, closing.signal])))] : [];
      const gateway = await openGateway(access, {
        secrets: secretsOf(namespace),
        prefix: recordName(release, 0).slice(0, -1),
        next: request.next,
        holds: async () => {
          const now = (await list(place, context)).at(-1);
          return now?.name === request.newest?.name && now?.resourceVersion === request.newest?.resourceVersion;
        },
      });
      try {
        const args = [request.verb, release, ...chart, '--namespace', namespace, '--timeout', `${Math.ceil(fields.timeout / 1_000)}s`, ...request.args];
        const env = { HELM_KUBEAPISERVER: gateway.address };
        const result = await named(place, run({ args, env, input: request.input ?? '', signal: context.signal, timeoutMs: fields.timeout }));
        if (result.code !== 0) {
          const { verb, keys = [], input = '' } = request;
          throw complaintOf({ ...result, verb, keys, input, fenced: gateway.fenced(), troubles: gateway.troubles() }, place.name);
        }
      } finally {
        await gateway.close();
      }
    },
    watch: (namespace, told, signal) => watchObjects(api, { namespace, resource: 'secrets', labelSelector: 'owner=helm' }, told, signal),
    async close() {
      closing.abort();
      await api.close();
      await Promise.all(running);
      await (await scratch)?.remove();
    },
  };
}

function secretsOf(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/secrets`;
}

async function named<Result>(place: HelmPlace, call: Promise<Result>): Promise<Result> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof SinkError) throw new SinkError(error.reason, `${place.name}: ${error.message}`);
    throw new SinkError('unavailable', `${place.name}: Helm could not be run`);
  }
}

function refusal(where: string, verb: string, { status, retryAfterMs }: Answer): SinkError {
  if (status === 401)
    return new SinkError('unauthorized', `${where}: the API server does not know us (401); check the token, or what the kubeconfig says of the user`);
  if (status === 403)
    return new SinkError('unauthorized', `${where}: the user may not ${verb} secrets in the namespace; docs/sinks/helm.md has a Role with what is needed`);
  if (status === 429)
    return new SinkError('throttled', `${where}: the API server asks to be called less often`, retryAfterMs === undefined ? {} : { retryAfterMs });
  if (status >= 500) return new SinkError('unavailable', `${where}: the API server failed with ${status}`);
  if (status === 413) return new SinkError('too-large', `${where}: the record is larger than Kubernetes takes`);
  return new SinkError('rejected', `${where}: the API server refused to ${verb} secrets (${status}); check its address`);
}
