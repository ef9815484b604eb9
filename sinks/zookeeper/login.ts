import { SinkError } from '../errors.ts';
import { readCredential } from '../read-credential.ts';
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
  const { auth, tls } = options;
  const [digest, ca, cert, key] = await Promise.all([auth, tls?.ca, tls?.cert, tls?.key].map((each) => readCredential(label, resolve, each)));
  // ZooKeeper takes a text without a colon for a user of that name, and refuses everything later on.
  if (digest !== undefined && !/^[^:]+:./.test(digest)) throw new SinkError('unauthorized', `${label}: the credential of auth has to be user:password`);
  return { digest: digest ?? null, tls: tls ? defined({ ca, cert, key, servername: tls.servername }) : null };
}

function defined(given: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
}
