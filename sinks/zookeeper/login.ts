import type { CredentialReference } from '../../domain/bundle.ts';
import { SinkError } from '../errors.ts';
import type { ResolveCredential } from '../sink.ts';
import { systemOf, type ZooKeeperOptions } from './options.ts';

export interface Login {
  /** `user:password` of the digest scheme. */
  readonly digest: string | null;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly servername?: string } | null;
}

/** The credentials as they are now. */
export async function readLogin(options: ZooKeeperOptions, resolve: ResolveCredential): Promise<Login> {
  const label = `zookeeper ${systemOf(options)}`;
  const read = async (reference: CredentialReference | undefined): Promise<string | undefined> => {
    if (reference === undefined) return undefined;
    try {
      return await resolve(reference);
    } catch (error) {
      // The resolver's message names the reference, never the value.
      throw new SinkError('unavailable', `${label}: ${error instanceof Error ? error.message : 'a credential cannot be read'}`);
    }
  };
  const { auth, tls } = options;
  const [digest, ca, cert, key] = await Promise.all([auth, tls?.ca, tls?.cert, tls?.key].map(read));
  // ZooKeeper takes a text without a colon for a user of that name, and refuses everything later on.
  if (digest !== undefined && !/^[^:]+:./.test(digest)) throw new SinkError('unauthorized', `${label}: the credential of auth has to be user:password`);
  return { digest: digest ?? null, tls: tls ? defined({ ca, cert, key, servername: tls.servername }) : null };
}

function defined(given: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
}
