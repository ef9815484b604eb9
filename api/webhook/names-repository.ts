import type { NamedRepository } from './event.ts';

/**
 * Whether a payload means the repository that the bundle configures: one of its URLs is the same place over https or ssh, or its full name is
 * the path of the configured URL (a forge behind a proxy says another host than the bundle). Case, `.git`, user and port do not matter.
 */
export function namesRepository(named: NamedRepository, configuredUrl: string): boolean {
  const configured = locate(configuredUrl);
  if (named.urls.some((url) => isSame(locate(url), configured))) return true;
  const fullName = normalisePath(named.fullName);
  if (fullName === '') return false;
  // A file repository of a development bundle has a path of the machine before its name.
  return configured.path === fullName || (configured.host === '' && configured.path.endsWith(`/${fullName}`));
}

/** Far above what any forge allows; beyond it a name is the sender's way to keep the expressions below busy. */
const MAX_NAME_LENGTH = 2_048;

interface Location {
  readonly host: string;
  readonly path: string;
}

function isSame(a: Location, b: Location): boolean {
  return a.path !== '' && a.path === b.path && a.host === b.host;
}

function locate(url: string): Location {
  if (url.length > MAX_NAME_LENGTH) return { host: '', path: '' };
  // git@host:owner/name, which is not a URL.
  const [, host, path] = /^(?:[^@/\s]+@)?([^:/\s]+):(?!\/\/)(.+)$/.exec(url) ?? [];
  if (host !== undefined && path !== undefined) return { host: host.toLowerCase(), path: normalisePath(path) };
  if (!URL.canParse(url)) return { host: '', path: normalisePath(url) };
  const { hostname, pathname } = new URL(url);
  return { host: hostname.toLowerCase(), path: normalisePath(pathname) };
}

function normalisePath(path: string): string {
  if (path.length > MAX_NAME_LENGTH) return '';
  return path
    .toLowerCase()
    .replace(/^\/+|\/+$/g, '')
    .replace(/\.git$/, '');
}
