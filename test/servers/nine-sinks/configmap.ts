import type { KubernetesServer } from '../kubernetes.ts';
import { makeServiceAccount } from './cluster-role.ts';
import type { OneSink } from './one-sink.ts';

const WRITE = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'create', 'patch', 'delete', 'list', 'watch'] }];
const READ = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch'] }];

export async function configmapSink(server: KubernetesServer): Promise<OneSink> {
  const account = await makeServiceAccount(server, 'vartrack-configmap', 'configmaps', WRITE);
  const pathOf = (environment: string): string => `/api/v1/namespaces/default/configmaps/settings-${environment}`;
  const found = async (environment: string) => (await server.call('GET', pathOf(environment))) as { data?: Record<string, string> } | undefined;
  return {
    kind: 'configmap',
    options: { server: server.url, token: { env: 'CONFIGMAP_TOKEN' }, ca: { env: 'CLUSTER_CA' } },
    destination: { place: 'default/settings-{env}' },
    credentials: { CONFIGMAP_TOKEN: account.token, CLUSTER_CA: server.ca },
    look: async (environment) => (await found(environment))?.data ?? null,
    trace: async (environment) => JSON.stringify((await found(environment)) ?? null),
    edit: async (environment, data) => void (await server.call('PATCH', pathOf(environment), { data })),
    clear: async (environment) => void (await server.call('DELETE', pathOf(environment))),
    loseLedger: async (environment) => void (await server.call('PATCH', pathOf(environment), { metadata: { annotations: { 'vartrack.dev/ledger': null } } })),
    refuseWrites: () => account.may(READ),
    allowWrites: () => account.may(WRITE),
    stop: async () => undefined,
  };
}
