import { z } from 'zod';
import type { GitCredentials, Repository } from '../domain/bundle.ts';
import { credentialReference } from './credential-reference.ts';
import { duration } from './duration.ts';

const url = z
  .string()
  .min(1)
  .superRefine((text, context) => {
    const message = repositoryUrlProblem(text);
    if (message !== null) context.addIssue({ code: 'custom', message });
  });

const credentials = z
  .strictObject({
    token: credentialReference.exactOptional().describe('Token for https'),
    username: z.string().min(1).exactOptional().describe('User name sent beside the token; by default what the provider expects'),
    sshKey: credentialReference.exactOptional().describe('OpenSSH private key'),
    knownHosts: credentialReference.exactOptional().describe('Content of a known_hosts file with the host key of the server'),
  })
  .transform((given, context): GitCredentials => {
    const { token, username, sshKey, knownHosts } = given;
    if (token && !sshKey && !knownHosts) return username === undefined ? { token } : { token, username };
    if (sshKey && knownHosts && !token && username === undefined) return { sshKey, knownHosts };
    const message =
      sshKey && !token && !knownHosts
        ? 'sshKey needs knownHosts: the host key of the server is always checked (ssh-keyscan prints it; compare it with what the provider publishes)'
        : 'write either token (and perhaps username) for https, or sshKey and knownHosts for ssh';
    context.issues.push({ code: 'custom', message, input: undefined });
    return z.NEVER;
  });

export const repository: z.ZodType<Repository> = z
  .strictObject({
    provider: z.enum(['github', 'gitlab', 'gitea', 'forgejo', 'bitbucket', 'generic']).describe('Whose webhooks these are'),
    url: url.describe('https://…, ssh://…, or user@host:path'),
    credentials: credentials.exactOptional(),
    webhookSecret: credentialReference.exactOptional().describe('Secret that the provider signs webhooks with; without it webhooks are refused'),
    poll: z
      .union([z.literal('off'), duration], { error: 'write a duration such as 60s, or off' })
      .default(60_000)
      .describe('Interval of the look for pushes whose webhook was lost; off disables'),
  })
  .transform(({ poll, ...rest }) => ({ ...rest, pollMs: poll === 'off' ? null : poll }));

/** What is wrong with the URL of a repository, or null. The message never quotes the URL: it may hold a password. */
export function repositoryUrlProblem(text: string): string | null {
  if (text.startsWith('-') || /[\s\p{Cc}]/u.test(text)) return 'is not a URL: it has white space or begins with a dash';
  if (text.startsWith('/')) return null;
  if (/^[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:[^:]+$/.test(text)) return text.split(':')[1]?.startsWith('-') ? 'has a path that begins with a dash' : null;
  if (!URL.canParse(text)) return 'is not a URL; write https://host/path.git, ssh://git@host/path.git or git@host:path.git';
  const { protocol, username, password, hostname, search, hash } = new URL(text);
  if (password || (username && protocol !== 'ssh:')) return 'holds a user name or password; put it into credentials.token, as a reference';
  if (search || hash) return 'has a query or fragment; write the URL that git clone takes, and a token into credentials.token';
  switch (protocol) {
    case 'https:':
    case 'ssh:':
      return hostname.startsWith('-') || hostname === '' ? 'has no usable host name' : null;
    case 'http:':
      return isLoopback(hostname) ? null : 'is http, which anyone on the way can read and change; write https (http is for loopback hosts only)';
    case 'file:':
      return null;
    default:
      return 'has a scheme that is not supported; write https://, ssh:// or user@host:path';
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d+){3}$/.test(hostname);
}
