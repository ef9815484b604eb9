import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Provider, Repository } from '../../domain/bundle.ts';
import type { ResolveCredential } from '../../sinks/sink.ts';
import type { Settings } from './environment.ts';
import { GitError } from './git-error.ts';
import type { Remote } from './remote.ts';
import { startSshAgent, type SshAgent } from './ssh-agent.ts';

/** What one git process gets so that it may speak to a remote. */
export interface Access {
  readonly settings: Settings;
  readonly variables: Settings;
  /** Taken out of whatever git says. */
  readonly secrets: readonly string[];
  /** Tells one credential from another, within this process. */
  readonly fingerprint: string;
}

export interface AccessProvider {
  /** Reads the credential now: it may have been rotated since the last time. */
  for(repository: Repository, remote: Remote, options?: { readonly notBefore?: number }): Promise<Access>;
  close(): Promise<void>;
}

const USERNAMES: Readonly<Record<Provider, string>> = {
  github: 'x-access-token',
  gitlab: 'oauth2',
  gitea: 'oauth2',
  forgejo: 'oauth2',
  bitbucket: 'x-token-auth',
  generic: 'git',
};

/**
 * A token goes through a credential helper that prints two variables of the git process's own environment. An http.extraHeader would be simpler,
 * but git also sends it to the host that a redirect leads to; a helper is bound to the configured host. `printf` is built into every sh, so the
 * token is in no argument, and there is no file.
 */
const HELPER = '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$VARTRACK_GIT_USERNAME" "$VARTRACK_GIT_PASSWORD"; }; f';

const SSH = [
  'ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o GlobalKnownHostsFile=/dev/null -o UpdateHostKeys=no -o IdentityFile=none',
  '-o PreferredAuthentications=publickey -o ClearAllForwardings=yes -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=3',
].join(' ');

export function createAccess(resolve: ResolveCredential): AccessProvider {
  const agents = new Map<string, Promise<SshAgent>>();
  let directory: Promise<string> | undefined;

  async function agentOf(key: string): Promise<SshAgent> {
    const name = hash(key);
    const known = agents.get(name);
    const agent = known && (await known.catch(() => undefined));
    if (agent && (await agent.alive())) return agent;
    // Two callers may come here together; the first one's agent serves both.
    const current = agents.get(name);
    if (current && current !== known) return current;
    void agent?.close();
    const started = privateDirectory().then((path) => startSshAgent(join(path, `agent-${randomUUID()}`), key));
    agents.set(name, started);
    started.catch(() => agents.get(name) === started && agents.delete(name));
    return started;
  }

  function privateDirectory(): Promise<string> {
    // Not below the cache directory: the path of a socket may have 107 bytes at most.
    return (directory ??= mkdtemp(join(tmpdir(), 'vartrack-git-')));
  }

  return {
    for: async (repository, remote, options) => {
      const { credentials, provider } = repository;
      if (!credentials)
        return { settings: {}, variables: remote.protocol === 'ssh' ? { GIT_SSH_COMMAND: SSH, GIT_SSH_VARIANT: 'ssh' } : {}, secrets: [], fingerprint: '' };
      if ('token' in credentials) {
        if (remote.origin === '') throw new GitError('rejected', `${remote.url} cannot be read with a token; use an https URL, or credentials.sshKey`);
        const token = (await resolve(credentials.token, options)).trim();
        const username = credentials.username ?? USERNAMES[provider];
        if (token === '' || /[\r\n\0]/.test(token + username)) throw new GitError('unauthorized', `the token for ${remote.url} is empty or has several lines`);
        return {
          settings: { [`credential.${remote.origin}.helper`]: HELPER },
          variables: { VARTRACK_GIT_USERNAME: username, VARTRACK_GIT_PASSWORD: token },
          secrets: [token],
          fingerprint: hash(token),
        };
      }
      if (remote.protocol !== 'ssh') throw new GitError('rejected', `${remote.url} cannot be read with an ssh key; use an ssh URL, or credentials.token`);
      const [key, knownHosts] = await Promise.all([resolve(credentials.sshKey, options), resolve(credentials.knownHosts, options)]);
      const hosts = join(await privateDirectory(), `known-hosts-${hash(knownHosts)}`);
      await writeFile(hosts, knownHosts.endsWith('\n') ? knownHosts : `${knownHosts}\n`, { mode: 0o600 });
      const { socket } = await agentOf(key);
      return {
        settings: {},
        variables: { SSH_AUTH_SOCK: socket, GIT_SSH_VARIANT: 'ssh', GIT_SSH_COMMAND: `${SSH} -o 'UserKnownHostsFile="${hosts}"'` },
        secrets: [],
        fingerprint: hash(key + knownHosts),
      };
    },
    close: async () => {
      const started = await Promise.allSettled(agents.values());
      agents.clear();
      await Promise.all(started.flatMap((agent) => (agent.status === 'fulfilled' ? [agent.value.close()] : [])));
      if (directory) await rm(await directory, { recursive: true, force: true });
      directory = undefined;
    },
  };
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
