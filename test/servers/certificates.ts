import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './run.ts';

export interface Certificates {
  /** Paths of PEM files. The server's certificate is for 127.0.0.1 and redis.test. */
  readonly ca: string;
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
  remove(): Promise<void>;
}

/** Makes an authority of our own and, signed by it, a certificate for a server and one for a client. */
export async function makeCertificates(): Promise<Certificates> {
  const folder = await mkdtemp(join(tmpdir(), 'vartrack-tls-'));
  const at = (name: string): string => join(folder, name);
  const make = async (name: string, ...more: readonly string[]) => {
    const files = { cert: at(`${name}.pem`), key: at(`${name}.key`) };
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', files.key];
    await run('openssl', ['req', '-x509', ...newKey, '-out', files.cert, '-subj', `/CN=${name}`, '-days', '2', ...more]);
    return files;
  };
  const authority = await make('authority');
  const signed = ['-CA', authority.cert, '-CAkey', authority.key, '-addext', 'basicConstraints=critical,CA:FALSE'];
  const server = await make('server', ...signed, '-addext', 'subjectAltName=IP:127.0.0.1,DNS:redis.test');
  const client = await make('client', ...signed);
  return { ca: authority.cert, server, client, remove: () => rm(folder, { recursive: true, force: true }) };
}
