import { z } from 'zod';
import { credentialReference } from '../../schemas/credential-reference.ts';
import { duration } from '../../schemas/duration.ts';

const server = z.string().refine(isServer, { error: 'write https://host:port, without user, password, query and fragment; the token has a field of its own' });

/** The fields by which a kind of sink is led to a cluster; {@link accessProblem} says what is wrong with them together. */
export const accessFields = {
  kubeconfig: credentialReference.optional().describe('Content of a kubeconfig; certificates in it or at absolute paths'),
  context: z.string().min(1).optional().describe('Context of the kubeconfig; its current one if absent'),
  inCluster: z.literal(true).optional().describe('The service account of the pod that varTrack runs in'),
  server: server.optional().describe('Address of the API server, with token'),
  token: credentialReference.optional().describe('Bearer token, such as one of a service account'),
  ca: credentialReference.optional().describe('PEM certificates to trust instead of the system’s, with server'),
  connectTimeout: duration.prefault('5s'),
  requestTimeout: duration.prefault('15s').describe('For one request, from the connection to the last byte'),
};

const access = z.strictObject(accessFields);
export type AccessOptions = z.output<typeof access>;

export function accessProblem(options: AccessOptions): string | null {
  const { kubeconfig, inCluster, token, ca, context } = options;
  if ([kubeconfig, inCluster, options.server].filter((each) => each !== undefined).length !== 1) return 'one of kubeconfig, inCluster and server is needed';
  if ((options.server === undefined) !== (token === undefined)) return 'server and token belong together';
  if (ca !== undefined && options.server === undefined) return 'ca belongs to server; a kubeconfig has its own';
  return context !== undefined && kubeconfig === undefined ? 'context needs kubeconfig' : null;
}

/** A kubeconfig is named by where it is read from: two references to one cluster are not found to be one. */
export function clusterOf(options: AccessOptions): string {
  if (options.inCluster) return 'in-cluster';
  if (options.server !== undefined) return new URL(options.server).host;
  return `kubeconfig ${JSON.stringify(options.kubeconfig)} ${options.context ?? ''}`.trimEnd();
}

function isServer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return url.protocol === 'https:' && [url.username, url.password, url.search, url.hash].every((part) => part === '');
}
