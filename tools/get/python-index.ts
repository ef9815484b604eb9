import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates } from 'node:tls';

import { parse } from 'ini';
import { EnvHttpProxyAgent, fetch } from 'undici';

const DEFAULT_INDEX = 'https://pypi.org/simple';
const REQUEST_TIMEOUT_MS = 10 * 60_000;

/**
 * Downloads one file of a project from the Python package index that pip is configured for, and checks it against the pinned SHA-256:
 * whatever the index or a mirror sends, only the reviewed bytes are used.
 */
export async function downloadWheel(project: string, fileName: string, sha256: string): Promise<Buffer> {
  // The system's certificates too: behind a company's proxy pip trusts them and Node alone would not.
  const ca = [...getCACertificates('default'), ...getCACertificates('system')];
  const dispatcher = new EnvHttpProxyAgent({ connect: { ca }, requestTls: { ca } });
  try {
    const page = new URL(`${(await indexUrl()).replace(/\/+$/, '')}/${project}/`);
    const listing = await get(page, dispatcher);
    const wheel = findLink(listing.toString('utf8'), fileName);
    if (wheel === undefined) throw new Error(`${page.host} does not list ${fileName}`);
    const bytes = await get(new URL(wheel, withoutCredentials(page)), dispatcher, page);
    const actual = createHash('sha256').update(bytes).digest('hex');
    if (actual !== sha256) throw new Error(`${fileName} has SHA-256 ${actual}, expected ${sha256}`);
    return bytes;
  } finally {
    await dispatcher.close();
  }
}

/** Works on both forms of a project's page, JSON (PEP 691) and HTML (PEP 503): the link is the quoted text that ends in the file's name. */
export function findLink(page: string, fileName: string): string | undefined {
  for (const [, link] of page.matchAll(/["']([^"'\s#]*)(?:#[^"']*)?["']/g)) if (link?.endsWith(`/${fileName}`)) return link;
  return undefined;
}

async function get(url: URL, dispatcher: EnvHttpProxyAgent, credentialsOf = url): Promise<Buffer> {
  const headers: Record<string, string> = { accept: 'application/vnd.pypi.simple.v1+json, text/html;q=0.5, */*;q=0.1' };
  // fetch refuses credentials in the address; they go to the index's own host only.
  if (credentialsOf.username !== '' && credentialsOf.host === url.host) {
    const credentials = `${decodeURIComponent(credentialsOf.username)}:${decodeURIComponent(credentialsOf.password)}`;
    headers['authorization'] = `Basic ${Buffer.from(credentials).toString('base64')}`;
  }
  const response = await fetch(withoutCredentials(url), { dispatcher, headers, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
  if (!response.ok) throw new Error(`${url.host}${url.pathname} answered ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}

function withoutCredentials(url: URL): URL {
  const copy = new URL(url);
  copy.username = '';
  copy.password = '';
  return copy;
}

async function indexUrl(): Promise<string> {
  const fromEnvironment = process.env['PIP_INDEX_URL'];
  if (fromEnvironment) return fromEnvironment;
  for (const path of pipConfigFiles()) {
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const config: Record<string, unknown> = parse(text);
    const found = indexIn(config['download']) ?? indexIn(config['install']) ?? indexIn(config['global']);
    if (found !== undefined) return found;
  }
  return DEFAULT_INDEX;
}

function pipConfigFiles(): string[] {
  const configured = process.env['PIP_CONFIG_FILE'];
  if (configured !== undefined) return [configured];
  const user = process.env['XDG_CONFIG_HOME'] || join(homedir(), '.config');
  return [
    join(user, 'pip', 'pip.conf'),
    join(homedir(), '.pip', 'pip.conf'),
    join(homedir(), 'Library', 'Application Support', 'pip', 'pip.conf'),
    '/etc/pip.conf',
  ];
}

function indexIn(section: unknown): string | undefined {
  if (typeof section !== 'object' || section === null) return undefined;
  const value: unknown = Reflect.get(section, 'index-url');
  return typeof value === 'string' ? value.trim() : undefined;
}
