import type { KubernetesServer } from '../kubernetes.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const WITHIN_MS = 15_000;

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** A service account of namespace default, as varTrack runs as one. */
export interface ServiceAccount {
  readonly token: string;
  /** Replaces what it may do, and returns when the API server goes by that. */
  may(rules: readonly Rule[]): Promise<void>;
}

/** A service account that may do this; `resource` is what it may `create` or not, by which a change of its rights is seen. */
export async function makeServiceAccount(server: KubernetesServer, name: string, resource: string, rules: readonly Rule[]): Promise<ServiceAccount> {
  const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name } };
  const user = `system:serviceaccount:default:${name}`;
  await server.call('POST', '/api/v1/namespaces/default/serviceaccounts', { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } });
  await server.call('POST', `${RBAC}/clusterroles`, { ...rbac, kind: 'ClusterRole', rules });
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name };
  const subjects = [{ kind: 'ServiceAccount', name, namespace: 'default' }];
  await server.call('POST', `${RBAC}/clusterrolebindings`, { ...rbac, kind: 'ClusterRoleBinding', roleRef, subjects });
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const made = (await server.call('POST', `/api/v1/namespaces/default/serviceaccounts/${name}/token`, request)) as { status: { token: string } };

  async function mayCreate(): Promise<boolean> {
    const spec = { user, resourceAttributes: { namespace: 'default', verb: 'create', resource } };
    const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec };
    const answer = (await server.call('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', review)) as { status: { allowed: boolean } };
    return answer.status.allowed;
  }

  /** The authorizer follows the roles by a watch. */
  async function settle(expected: boolean): Promise<void> {
    for (const until = Date.now() + WITHIN_MS; (await mayCreate()) !== expected;)
      if (Date.now() > until) throw new Error(`the API server does not go by the new rights of ${name}`);
  }

  const account: ServiceAccount = {
    token: made.status.token,
    may: async (next) => {
      await server.call('PATCH', `${RBAC}/clusterroles/${name}`, { rules: next });
      await settle(next.some(({ resources, verbs }) => resources.includes(resource) && verbs.includes('create')));
    },
  };
  await settle(true);
  return account;
}
