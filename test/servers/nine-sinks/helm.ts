import { chartPath } from '../../sinks/helm/chart-folder.ts';
import { personWith } from '../../sinks/helm/person.ts';
import type { KubernetesServer } from '../kubernetes.ts';
import { programOf } from '../program-of.ts';
import { makeServiceAccount } from './cluster-role.ts';
import type { OneSink } from './one-sink.ts';

// What docs/sinks/helm.md asks for, for a chart that makes a ConfigMap.
const WRITE = [
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'create', 'patch', 'delete'] },
];
const READ = [{ apiGroups: [''], resources: ['secrets', 'configmaps'], verbs: ['get', 'list', 'watch'] }];

export async function helmSink(server: KubernetesServer): Promise<OneSink> {
  const [program, account] = await Promise.all([programOf('helm4'), makeServiceAccount(server, 'vartrack-helm', 'secrets', WRITE)]);
  const person = personWith(server, program);
  const placeOf = (environment: string): string => `default/checkout-${environment}`;
  return {
    kind: 'helm',
    options: { server: server.url, token: { env: 'HELM_TOKEN' }, ca: { env: 'CLUSTER_CA' }, program },
    destination: { place: placeOf('{env}'), chart: { path: chartPath } },
    credentials: { HELM_TOKEN: account.token, CLUSTER_CA: server.ca },
    look: async (environment) => {
      const newest = (await person.records(placeOf(environment))).at(-1);
      if (newest?.status !== 'deployed') return newest ? newest.status : null;
      const { values } = newest.content();
      // What Helm keeps of the release, and what the chart made of it in the cluster.
      return { values: JSON.parse(values) as unknown, rendered: (await person.rendered(placeOf(environment)))?.data };
    },
    trace: async (environment) => {
      const records = await person.records(placeOf(environment));
      return JSON.stringify([records.map(({ name, resourceVersion }) => [name, resourceVersion]), await person.rendered(placeOf(environment))]);
    },
    edit: async (environment, changes) => {
      // A null takes away what --reuse-values would keep.
      await person.helm(placeOf(environment), 'upgrade', [chartPath, '--reuse-values', '--values', '-'], JSON.stringify(changes));
    },
    clear: async (environment) => void (await person.helm(placeOf(environment), 'uninstall')),
    loseLedger: async (environment) => {
      for (const record of await person.records(placeOf(environment))) {
        const own = Object.keys(record.labels).filter((label) => label.startsWith('vartrack.dev/'));
        await person.patch(placeOf(environment), record, { labels: Object.fromEntries(own.map((label) => [label, null])) });
      }
    },
    refuseWrites: () => account.may(READ),
    allowWrites: () => account.may(WRITE),
    stop: async () => undefined,
  };
}
