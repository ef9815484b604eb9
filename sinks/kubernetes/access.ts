import { readFile } from 'node:fs/promises';
import type { OutgoingHttpHeaders } from 'node:http';
import type { RequestOptions } from 'node:https';
import { SinkError } from '../errors.ts';
import { credentialFailure } from '../read-credential.ts';
import type { ResolveCredential } from '../sink.ts';
import type { AccessOptions } from './access-options.ts';

/** Where the API server is and how a request shows who we are. */
export interface Access {
  readonly server: string;
  /** Headers, TLS and, behind a proxy, an agent. */
  readonly request: Omit<RequestOptions, 'headers'> & { readonly headers?: OutgoingHttpHeaders };
}

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** A token that was rotated is picked up that soon; kubelet renews those of pods long before they end. */
const TRUSTED_FOR_MS = 60_000;

/** Reads credentials when they are first needed and again every minute. Throws SinkError. */
export function createAccess(options: AccessOptions, resolve: ResolveCredential): () => Promise<Access> {
  let known: { readonly at: number; readonly access: Promise<() => Promise<Access>> } | undefined;
  let loaded: { readonly text: string; readonly access: () => Promise<Access> } | undefined;

  async function open(): Promise<() => Promise<Access>> {
    if (!options.kubeconfig) return fixed(options, resolve);
    const text = await resolve(options.kubeconfig);
    // One that stayed the same keeps the token that its plugin gave.
    if (loaded?.text !== text) loaded = { text, access: await fromKubeconfig(text, options.context) };
    return loaded.access;
  }

  return async () => {
    const now = Date.now();
    if (!known || now - known.at > TRUSTED_FOR_MS) known = { at: now, access: open() };
    const { access } = known;
    try {
      const current = await access;
      return await current();
    } catch (error) {
      if (known?.access === access) known = undefined;
      throw error instanceof SinkError ? error : credentialFailure('kubernetes', error);
    }
  };
}

async function fixed(options: AccessOptions, resolve: ResolveCredential): Promise<() => Promise<Access>> {
  const [server, token, ca] = options.inCluster ? await inCluster() : await direct(options, resolve);
  const access = { server: server.replace(/\/+$/, ''), request: { headers: { authorization: `Bearer ${token.trim()}` }, ...(ca === undefined ? {} : { ca }) } };
  return async () => access;
}

async function direct({ server = '', token, ca }: AccessOptions, resolve: ResolveCredential) {
  return [server, token ? await resolve(token) : '', ca ? await resolve(ca) : undefined] as const;
}

async function inCluster() {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = process.env;
  if (!host) throw new SinkError('rejected', 'kubernetes: inCluster is set, and this process runs in no pod; set kubeconfig, or server and token');
  const [token, ca] = await Promise.all(['token', 'ca.crt'].map((name) => readFile(`${ACCOUNT}/${name}`, 'utf8')));
  return [`https://${host.includes(':') ? `[${host}]` : host}:${port}`, token ?? '', ca] as const;
}

/** The vendor's library knows kubeconfigs: exec plugins, OIDC, proxies. It takes a second to load, so only who needs it pays. */
async function fromKubeconfig(text: string, context: string | undefined): Promise<() => Promise<Access>> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  try {
    config.loadFromString(text);
  } catch {
    // The parser's message quotes the line that it stumbles over.
    throw new SinkError('rejected', 'kubernetes: the kubeconfig cannot be read; it has to be YAML with clusters, users and contexts');
  }
  if (context !== undefined) config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new SinkError('rejected', `kubernetes: the kubeconfig has no context ${context ?? config.getCurrentContext() ?? ''} with a cluster`);
  if (!cluster.server.startsWith('https:')) throw new SinkError('rejected', 'kubernetes: the server of the kubeconfig has to be https://');
  return async () => {
    const request: Access['request'] = {};
    try {
      await config.applyToHTTPSOptions(request);
    } catch {
      // What a plugin prints could be a token.
      throw new SinkError('unauthorized', 'kubernetes: the credentials of the kubeconfig cannot be had; check its user, files and plugin');
    }
    const { agent, ...rest } = request;
    return { server: cluster.server, request: cluster.proxyUrl && agent ? request : rest };
  };
}
