import { execFile } from 'node:child_process';
import { recordsOf, type ReleaseRecord } from '../../../sinks/helm/records.ts';
import { releaseName } from '../../../sinks/helm/release-name.ts';
import type { KubernetesServer } from '../../servers/kubernetes.ts';

/** Somebody with all rights, who knows Helm and nothing of varTrack. */
export interface Person {
  /** Runs Helm on a release; `input` is what it reads where it is told `-`. Throws with what Helm said. */
  helm(place: string, verb: string, args?: readonly string[], input?: string): Promise<string>;
  /** All records of a release, oldest first. */
  records(place: string): Promise<readonly ReleaseRecord[]>;
  /** Changes a record as `kubectl patch` would. */
  patch(place: string, record: ReleaseRecord, change: { readonly labels: Readonly<Record<string, string | null>>; readonly release?: string }): Promise<void>;
  /** What the chart of {@link makeChart} made, or null. */
  rendered(place: string): Promise<{ readonly data: unknown; readonly resourceVersion: string } | null>;
}

export function personWith(server: KubernetesServer, program: string): Person {
  const folder = `${server.kubeconfig}-helm`;
  const env = { ...process.env, HOME: folder, HELM_CACHE_HOME: folder, HELM_CONFIG_HOME: folder, HELM_DATA_HOME: folder, KUBECONFIG: server.kubeconfig };
  const secrets = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets`;
  return {
    helm: (place, verb, args = [], input = '') => {
      const { namespace, release } = releaseName(place);
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      const child = execFile(program, [verb, release, '--namespace', namespace, ...args], { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
        if (error) reject(new Error(`helm ${verb} ${place}: ${stderr}`));
        else resolve(stdout);
      });
      child.stdin?.end(input);
      return promise;
    },
    records: async (place) => {
      const { namespace, release } = releaseName(place);
      return recordsOf(await server.call('GET', `${secrets(namespace)}?labelSelector=owner%3Dhelm,name%3D${release}`), place);
    },
    patch: async (place, record, { labels, release }) => {
      const body = { metadata: { labels }, ...(release === undefined ? {} : { data: { release } }) };
      await server.call('PATCH', `${secrets(releaseName(place).namespace)}/${record.name}`, body);
    },
    rendered: async (place) => {
      const { namespace, release } = releaseName(place);
      const found = await server.call('GET', `/api/v1/namespaces/${namespace}/configmaps/${release}`);
      const { data, metadata } = (found ?? {}) as { data?: unknown; metadata?: { resourceVersion: string } };
      return metadata ? { data, resourceVersion: metadata.resourceVersion } : null;
    },
  };
}
