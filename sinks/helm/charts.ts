import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { parseDocument } from '../../clients/formats/parse-document.ts';
import { isMap, toJson, valueOf } from '../../domain/value.ts';
import { SinkError } from '../errors.ts';
import { readCredential } from '../read-credential.ts';
import type { ResolveCredential } from '../sink.ts';
import type { ChartSource, HelmOptions } from './options.ts';
import type { HelmResult, HelmRun } from './program.ts';

export interface Charts {
  /** Where the chart is on this machine; one of a repository or registry is fetched once for each connection. Throws SinkError. */
  pathOf(source: ChartSource, signal: AbortSignal): Promise<string>;
}

/** Name and version as far as they are known without fetching it, or null: what a release has to be made of. */
export interface ChartIdentity {
  readonly name: string;
  readonly version: string;
}

const FETCH_WITHIN_MS = 120_000;

export function createCharts(options: HelmOptions, resolve: ResolveCredential, scratch: () => Promise<string>, run: Run): Charts {
  const fetched = new Map<string, Promise<string>>();

  async function fetch(source: Exclude<ChartSource, { path: string }>, key: string, signal: AbortSignal): Promise<string> {
    const folder = join(await scratch(), 'charts', key);
    await rm(folder, { recursive: true, force: true });
    await mkdir(join(folder, 'chart'), { recursive: true, mode: 0o700 });
    const login = await loginFor(source, options, resolve);
    const pull = async (...args: readonly string[]): Promise<void> => {
      const result = await run({ args, env: {}, input: '', signal, timeoutMs: FETCH_WITHIN_MS });
      if (result.code !== 0) throw fetchError(source, result);
    };
    const into = ['--version', source.version, '--destination', join(folder, 'chart')];
    try {
      if ('oci' in source) {
        const config = join(folder, 'registry.json');
        await writeFile(config, JSON.stringify({ auths: login ? { [hostOf(source.oci)]: { auth: basic(login) } } : {} }), { mode: 0o600 });
        await pull('pull', source.oci, ...into, '--registry-config', config);
      } else {
        const config = join(folder, 'repositories.yaml');
        const cache = join(folder, 'index');
        const repositories = [{ name: 'source', url: source.repository, ...login }];
        await writeFile(config, JSON.stringify({ apiVersion: '', generated: '2026-01-01T00:00:00Z', repositories }), { mode: 0o600 });
        const from = ['--repository-config', config, '--repository-cache', cache];
        await pull('repo', 'update', ...from);
        await pull('pull', `source/${source.name}`, ...into, ...from);
      }
    } finally {
      await Promise.all(['registry.json', 'repositories.yaml'].map((name) => rm(join(folder, name), { force: true })));
    }
    const [archive] = await readdir(join(folder, 'chart'));
    if (archive === undefined) throw new SinkError('rejected', `the chart ${nameOf(source)} was fetched and is not there`);
    return join(folder, 'chart', archive);
  }

  return {
    pathOf: async (source, signal) => {
      if ('path' in source) {
        const found = await stat(source.path).catch(() => null);
        if (!found) throw new SinkError('rejected', `there is no chart at ${source.path} on the worker, or it may not be read`);
        return source.path;
      }
      const key = createHash('sha256').update(JSON.stringify(source)).digest('hex').slice(0, 16);
      const known = fetched.get(key) ?? fetch(source, key, signal);
      fetched.set(key, known);
      try {
        return await known;
      } catch (error) {
        fetched.delete(key);
        throw error;
      }
    },
  };
}

export type Run = (run: HelmRun) => Promise<HelmResult>;

export async function identityOf(source: ChartSource): Promise<ChartIdentity | null> {
  if ('repository' in source) return { name: source.name, version: source.version };
  if ('oci' in source) return { name: source.oci.slice(source.oci.lastIndexOf('/') + 1), version: source.version };
  try {
    const bytes = await readFile(join(source.path, 'Chart.yaml'));
    const chart = valueOf(parseDocument(bytes, 'Chart.yaml', { format: 'yaml' }));
    const [name, version] = isMap(chart) ? [chart.get('name'), chart.get('version')] : [];
    return typeof name === 'string' && version !== undefined ? { name, version: typeof version === 'string' ? version : toJson(version) } : null;
  } catch {
    // An archive, or nothing: a write says what is wrong.
    return null;
  }
}

async function loginFor(source: ChartSource, { charts }: HelmOptions, resolve: ResolveCredential) {
  const key = 'oci' in source ? hostOf(source.oci) : 'repository' in source ? source.repository : '';
  const found = charts[key];
  if (!found) return null;
  return { username: found.username, password: await readCredential(`the login for ${key}`, resolve, found.password) };
}

function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return Buffer.from(`${username}:${password}`).toString('base64');
}

function hostOf(oci: string): string {
  return oci.slice('oci://'.length).split('/', 1)[0] ?? '';
}

function nameOf(source: ChartSource): string {
  if ('path' in source) return source.path;
  return `${'oci' in source ? source.oci : `${source.name} of ${source.repository}`} ${source.version}`;
}

function fetchError(source: ChartSource, { said, ended }: HelmResult): SinkError {
  const chart = `the chart ${nameOf(source)}`;
  if (ended === 'cancelled') return new SinkError('unavailable', `${chart}: the call was cancelled`);
  if (ended === 'late') return new SinkError('unavailable', `${chart}: it was not fetched within ${FETCH_WITHIN_MS / 1_000} s`);
  if (/\b40[13]\b|unauthorized|denied/i.test(said))
    return new SinkError('unauthorized', `${chart}: whoever has it refuses us; check the login in \`charts\` of the sink`);
  if (/no chart (version|name) found|chart .* (not found|version)|: not found|\b404\b/i.test(said))
    return new SinkError('rejected', `${chart}: there is no such chart or version there`);
  if (/certificate|x509/i.test(said)) return new SinkError('rejected', `${chart}: its server's certificate is not trusted (SSL_CERT_FILE of the worker)`);
  return new SinkError('unavailable', `${chart}: it could not be fetched`);
}
