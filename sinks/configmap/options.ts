import { z } from 'zod';
import { credentialReference } from '../../schemas/credential-reference.ts';
import { duration } from '../../schemas/duration.ts';

const server = z.string().refine(isServer, { error: 'write https://host:port, without user, password, query and fragment; the token has a field of its own' });

export const configmapOptions = z
  .strictObject({
    kubeconfig: credentialReference.optional().describe('Content of a kubeconfig; certificates in it or at absolute paths'),
    context: z.string().min(1).optional().describe('Context of the kubeconfig; its current one if absent'),
    inCluster: z.literal(true).optional().describe('The service account of the pod that varTrack runs in'),
    server: server.optional().describe('Address of the API server, with token'),
    token: credentialReference.optional().describe('Bearer token, such as one of a service account'),
    ca: credentialReference.optional().describe('PEM certificates to trust instead of the system’s, with server'),
    connectTimeout: duration.prefault('5s'),
    requestTimeout: duration.prefault('15s').describe('For one request, from the connection to the last byte'),
  })
  .refine((options) => [options.kubeconfig, options.inCluster, options.server].filter((each) => each !== undefined).length === 1, {
    error: 'one of kubeconfig, inCluster and server is needed',
  })
  .refine((options) => (options.server === undefined) === (options.token === undefined), { path: ['token'], error: 'server and token belong together' })
  .refine((options) => options.ca === undefined || options.server !== undefined, { path: ['ca'], error: 'ca belongs to server; a kubeconfig has its own' })
  .refine((options) => options.context === undefined || options.kubeconfig !== undefined, { path: ['context'], error: 'context needs kubeconfig' });

export type ConfigmapOptions = z.output<typeof configmapOptions>;

/** A kubeconfig is named by where it is read from: two references to one cluster are not found to be one. */
export function systemOf(options: ConfigmapOptions): string {
  if (options.inCluster) return 'in-cluster';
  if (options.server !== undefined) return new URL(options.server).host;
  return `kubeconfig ${JSON.stringify(options.kubeconfig)} ${options.context ?? ''}`.trimEnd();
}

function isServer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return url.protocol === 'https:' && [url.username, url.password, url.search, url.hash].every((part) => part === '');
}
