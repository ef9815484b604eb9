import { generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { makeCertificates } from './certificates.ts';
import { freePort } from './free-port.ts';
import { programOf } from './program-of.ts';
import { startProcess, type ServerProcess } from './start-process.ts';

export interface KubernetesServer {
  /** `https://127.0.0.1:port` */
  readonly url: string;
  /** PEM text of the authority that signed the server's certificate. */
  readonly ca: string;
  /** Path of a kubeconfig with a context for each {@link KubernetesUser}; `admin` is the current one. */
  readonly kubeconfig: string;
  /** A request with all rights (or those of `user`), JSON in and out. Throws for a status that is neither 2xx nor 404 (undefined). */
  call(method: string, path: string, body?: unknown, as?: KubernetesUser): Promise<unknown>;
  stop(): Promise<void>;
  /** SIGKILL of the API server, and then the same one with its data at the same address. etcd stays. */
  readonly outage: { begin(): Promise<void>; end(): Promise<void> };
}

/**
 * The token of each is `<name>-token`. `admin` may do everything, `writer` what docs/sinks/configmap.md asks for, `reader` may read,
 * `nobody` is known and has no rights. Roles hold in every namespace.
 */
export type KubernetesUser = 'admin' | 'writer' | 'reader' | 'nobody';

const USERS: readonly KubernetesUser[] = ['admin', 'writer', 'reader', 'nobody'];
const WRITE = ['get', 'create', 'patch', 'delete'];
const RULES: Readonly<Partial<Record<KubernetesUser, readonly object[]>>> = {
  writer: [
    { apiGroups: [''], resources: ['configmaps'], verbs: [...WRITE, 'list', 'watch'] },
    { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'patch'] },
  ],
  reader: [
    { apiGroups: [''], resources: ['configmaps', 'secrets'], verbs: ['get', 'list'] },
    { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'list'] },
  ],
};
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Starts etcd and, on it, a Kubernetes API server without controllers on free ports of 127.0.0.1, with data in a directory of its own. */
export async function startKubernetes(): Promise<KubernetesServer> {
  const [etcdProgram, program] = await Promise.all([programOf('etcd'), programOf('kube-apiserver')]);
  const [folder, certificates] = await Promise.all([mkdtemp(join(scratch, 'vartrack-kubernetes-')), makeCertificates()]);
  const at = (name: string): string => join(folder, name);
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const [ca] = await Promise.all([
    readFile(certificates.ca, 'utf8'),
    writeFile(at('accounts.key'), privateKey.export({ type: 'pkcs8', format: 'pem' })),
    writeFile(at('tokens.csv'), USERS.map((user) => `${user}-token,${user},${user}${user === 'admin' ? ',"system:masters"' : ''}\n`).join('')),
  ]);
  const etcd = await startEtcd(etcdProgram, at('etcd'));
  const agent = new Agent({ keepAlive: true, ca });
  const flags = [
    `--etcd-servers=http://127.0.0.1:${etcd.port}`,
    '--bind-address=127.0.0.1',
    `--cert-dir=${folder}`,
    `--tls-cert-file=${certificates.server.cert}`,
    `--tls-private-key-file=${certificates.server.key}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${at('accounts.key')}`,
    `--service-account-signing-key-file=${at('accounts.key')}`,
    `--token-auth-file=${at('tokens.csv')}`,
    '--authorization-mode=RBAC',
    '--service-cluster-ip-range=10.0.0.0/24',
    '--disable-admission-plugins=ServiceAccount',
    '--endpoint-reconciler-type=none',
    '--max-requests-inflight=1000',
  ];
  const callAt = (port: number): KubernetesServer['call'] => {
    return (method, path, body, as = 'admin') => send(agent, `https://127.0.0.1:${port}${path}`, method, body, `${as}-token`);
  };
  const start = (port?: number): Promise<ServerProcess> =>
    startProcess({ program, port, args: (own) => [...flags, `--secure-port=${own}`], ready: async (own) => (await callAt(own)('GET', '/readyz')) === 'ok' });

  let server: ServerProcess;
  const stop = async (): Promise<void> => {
    agent.destroy();
    await Promise.all([server?.kill(), etcd.kill()]);
    await Promise.all([certificates.remove(), rm(folder, { recursive: true, force: true })]);
  };
  try {
    server = await start();
    await grant(callAt(server.port));
  } catch (error) {
    await stop();
    throw error;
  }
  const url = `https://127.0.0.1:${server.port}`;
  await writeFile(at('kubeconfig'), JSON.stringify(kubeconfigOf(url, ca)));
  return {
    url,
    ca,
    kubeconfig: at('kubeconfig'),
    call: callAt(server.port),
    stop,
    outage: {
      begin: () => server.kill(),
      end: async () => {
        server = await start(server.port);
      },
    },
  };
}

async function startEtcd(program: string, folder: string): Promise<ServerProcess> {
  const peer = `http://127.0.0.1:${await freePort()}`;
  return startProcess({
    program,
    args: (port) => {
      const client = `http://127.0.0.1:${port}`;
      const urls = ['--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer];
      return ['--data-dir', folder, '--name', 'test', ...urls, '--initial-advertise-peer-urls', peer, '--initial-cluster', `test=${peer}`];
    },
    ready: async (port) => (await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(1_000) })).ok,
  });
}

async function grant(call: KubernetesServer['call']): Promise<void> {
  const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1' };
  for (const [name, rules] of Object.entries(RULES)) {
    await call('POST', `${RBAC}/clusterroles`, { ...rbac, kind: 'ClusterRole', metadata: { name }, rules });
    const [roleRef, subjects] = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name }, [{ kind: 'User', name }]];
    await call('POST', `${RBAC}/clusterrolebindings`, { ...rbac, kind: 'ClusterRoleBinding', metadata: { name }, roleRef, subjects });
  }
}

function kubeconfigOf(server: string, ca: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
    users: USERS.map((name) => ({ name, user: { token: `${name}-token` } })),
    contexts: USERS.map((name) => ({ name, context: { cluster: 'test', user: name } })),
    'current-context': 'admin',
  };
}

function send(agent: Agent, url: string, method: string, body: unknown, token: string): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  // Node tells no length of the body of a DELETE by itself.
  const about = content && { 'content-type': contentType, 'content-length': content.length };
  const headers = { authorization: `Bearer ${token}`, ...about };
  const call = request(url, { agent, method, headers, timeout: 10_000 }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    response.on('error', reject).on('end', () => {
      const status = response.statusCode ?? 0;
      if (status === 404) resolve(undefined);
      else if (status < 200 || status > 299) reject(new Error(`${method} ${url}: ${status} ${text}`));
      else resolve(response.headers['content-type'] === 'application/json' ? JSON.parse(text) : text);
    });
  });
  call.on('timeout', () => call.destroy(new Error(`${method} ${url}: no answer`))).on('error', reject);
  call.end(content);
  return promise;
}
