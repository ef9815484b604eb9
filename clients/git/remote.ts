import { createHash } from 'node:crypto';
import type { Repository } from '../../domain/bundle.ts';
import { GitError } from './git-error.ts';

export type Protocol = 'https' | 'http' | 'ssh' | 'file';

/** Where a repository is, checked; the only form in which a URL reaches git. */
export interface Remote {
  readonly url: string;
  readonly protocol: Protocol;
  /** `https://host:port`, what a token may be sent to; empty for other protocols. */
  readonly origin: string;
  /** Name of the mirror's directory. */
  readonly mirrorName: string;
}

const SCHEMES: Readonly<Record<string, Protocol>> = { 'https:': 'https', 'http:': 'http', 'ssh:': 'ssh', 'file:': 'file' };
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost']);
// `user@host:path`, unless a slash comes before the colon; neither part can be read as an option.
const SCP_FORM = /^(?:[\w.][\w.+-]*@)?(?:[\w.][\w.-]*|\[[0-9a-fA-F:]+\]):(?!:)(?!\/\/)[^-]/;

export function parseRemote(repository: Repository, allowFileRepositories: boolean): Remote {
  const { url } = repository;
  const { protocol, origin } = classify(url);
  if (protocol === 'file' && !allowFileRepositories) throw refused('a repository on disk', 'set settings.allowFileRepositories, or use https or ssh');
  return { url, protocol, origin, mirrorName: mirrorName(repository) };
}

function classify(url: string): Pick<Remote, 'protocol' | 'origin'> {
  if (/[\u0000-\u001f\u007f]/.test(url)) throw refused('a URL with control characters', 'correct the url of the repository');
  if (url.startsWith('/')) return { protocol: 'file', origin: '' };
  if (SCP_FORM.test(url)) return { protocol: 'ssh', origin: '' };
  const parsed = URL.canParse(url) && url.includes('://') ? new URL(url) : undefined;
  const protocol = parsed && SCHEMES[parsed.protocol];
  if (!parsed || !protocol) throw refused('a URL of an unknown form', 'use https://host/path, ssh://user@host/path or user@host:path');
  // A credential in the URL would reach argv, logs and the mirror's name.
  if (parsed.password || (parsed.username && protocol !== 'ssh')) throw refused('a URL with a credential in it', 'move it to credentials.token as a reference');
  if (parsed.hostname.startsWith('-') || parsed.username.startsWith('-')) throw refused('a URL whose host looks like an option', 'correct the url');
  if (protocol === 'http' && !LOOPBACK.has(parsed.hostname))
    throw refused('http to another host', 'use https, so that nobody on the way can read or change it');
  return { protocol, origin: protocol === 'https' || protocol === 'http' ? parsed.origin : '' };
}

/**
 * The credential's reference is part of the name: tenants who share a URL but not a credential must not read each other's mirror.
 */
function mirrorName({ url, credentials }: Repository): string {
  const last =
    url
      .replace(/(\.git)?\/*$/, '')
      .split(/[/:]/)
      .at(-1) ?? '';
  const slug =
    last
      .replace(/[^\w.-]+/g, '-')
      .replace(/^[-.]+/, '')
      .slice(0, 40) || 'repository';
  const hash = createHash('sha256')
    .update(JSON.stringify([url, credentials ?? null]))
    .digest('hex');
  return `${slug}-${hash.slice(0, 20)}.git`;
}

function refused(what: string, advice: string): GitError {
  return new GitError('rejected', `the repository has ${what}; ${advice}`);
}
