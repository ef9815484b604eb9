import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createGit, type Git } from '../../../clients/git.ts';
import type { Repository } from '../../../domain/bundle.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startSshd, type SshServer } from '../../servers/sshd.ts';
import { createTestRepository, type TestRepository } from './repository.ts';

const signal = new AbortController().signal;

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
}

/** Process ids of the agents whose socket is in the folder. */
function agentsOn(folder: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      const line = /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : '';
      return line.startsWith('ssh-agent\0') && line.includes(folder);
    } catch {
      return false;
    }
  });
}

describeWith('sshd', 'a repository over ssh', () => {
  let sshd: SshServer;
  let root: string;
  let temporary: string;
  let remote: TestRepository;
  let repository: Repository;
  let git: Git;
  let credentials: Record<string, string>;

  beforeAll(async () => {
    sshd = await startSshd();
  });
  afterAll(() => sshd?.stop());

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'vartrack-test-ssh-'));
    temporary = join(root, 'tmp');
    mkdirSync(temporary);
    vi.stubEnv('TMPDIR', temporary);
    remote = createTestRepository(join(root, 'remote'));
    credentials = { KEY: sshd.privateKey, HOSTS: sshd.knownHosts };
    repository = {
      provider: 'generic',
      url: `ssh://${sshd.user}@127.0.0.1:${sshd.port}${remote.path}`,
      credentials: { sshKey: { env: 'KEY' }, knownHosts: { env: 'HOSTS' } },
      pollMs: null,
    };
    git = createGit({
      cacheDirectory: join(root, 'cache'),
      resolve: (reference) => Promise.resolve(('env' in reference && credentials[reference.env]) || ''),
      allowFileRepositories: false,
    });
  });
  afterEach(async () => {
    await git.close();
    vi.unstubAllEnvs();
    rmSync(root, { recursive: true, force: true });
  });

  it('is read with a key that is in no file, and no agent stays behind', async () => {
    const commit = remote.commit({ 'a.yaml': 'a: 1' });
    expect((await git.heads(repository, signal)).get('refs/heads/main')).toBe(commit);
    expect(await git.fetch(repository, 'refs/heads/main', signal)).toEqual({ commit });
    const secretLine = sshd.privateKey.split('\n')[2] ?? '';
    expect(secretLine.length).toBeGreaterThan(20);
    const files = filesBelow(root);
    expect(files.some((path) => path.includes('known-hosts'))).toBe(true);
    for (const path of files) expect(readFileSync(path, 'latin1')).not.toContain(secretLine);
    expect(agentsOn(temporary)).toHaveLength(1);
    await git.close();
    await expect.poll(() => agentsOn(temporary), { timeout: 15_000 }).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('uses the key that the reference gives now', async () => {
    const commit = remote.commit({ a: '1' });
    credentials = { ...credentials, KEY: sshd.strangerKey };
    await expect(git.heads(repository, signal)).rejects.toMatchObject({ reason: 'unauthorized' });
    credentials = { ...credentials, KEY: sshd.privateKey };
    expect((await git.heads(repository, signal)).get('refs/heads/main')).toBe(commit);
  });

  it('is refused when the host has another key, or none that is known', async () => {
    remote.commit({ a: '1' });
    const other = `[127.0.0.1]:${sshd.port} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMfn4xYkQyCkq3tAvbVOJ3bAKhTqDqEF7dQ7GUuDFd9X\n`;
    for (const knownHosts of [other, '# nothing\n']) {
      credentials = { ...credentials, HOSTS: knownHosts };
      await expect(git.heads(repository, signal)).rejects.toMatchObject({ reason: 'rejected', message: expect.stringContaining('knownHosts') });
    }
  });

  it('is not found where there is none, and unavailable where no host answers', async () => {
    await expect(git.heads({ ...repository, url: `${repository.url}-gone` }, signal)).rejects.toMatchObject({ reason: 'not-found' });
    await expect(git.heads({ ...repository, url: `ssh://${sshd.user}@127.0.0.1:1${remote.path}` }, signal)).rejects.toMatchObject({ reason: 'unavailable' });
  });

  it('is refused with a key that has a passphrase or is none, without quoting it', async () => {
    const path = join(root, 'locked');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'passphrase', '-f', path]);
    for (const key of [readFileSync(path, 'utf8'), 'not-a-key']) {
      credentials = { ...credentials, KEY: key };
      const error = await git.heads(repository, signal).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ reason: 'unauthorized', message: expect.stringContaining('passphrase') });
      expect(String(error)).not.toContain('not-a-key');
    }
  });

  it('is refused with a token', async () => {
    await expect(git.heads({ ...repository, credentials: { token: { env: 'KEY' } } }, signal)).rejects.toMatchObject({ reason: 'rejected' });
  });

  it('goes on with a new agent when the old one was killed', async () => {
    const commit = remote.commit({ a: '1' });
    await git.heads(repository, signal);
    const before = agentsOn(temporary);
    expect(before).toHaveLength(1);
    for (const pid of before) process.kill(Number(pid), 'SIGKILL');
    await expect.poll(() => agentsOn(temporary)).toEqual([]);
    expect((await git.heads(repository, signal)).get('refs/heads/main')).toBe(commit);
  });

  it('leaves no agent behind when the process that started it is killed', async () => {
    const program = `
      import { startSshAgent } from ${JSON.stringify(new URL('../../../clients/git/ssh-agent.ts', import.meta.url).href)};
      await startSshAgent(${JSON.stringify(join(temporary, 'agent'))}, process.env.KEY);
      console.log('started');
      setInterval(() => undefined, 1000);
    `;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      env: { ...process.env, KEY: sshd.privateKey },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    expect(agentsOn(temporary)).toHaveLength(1);
    child.kill('SIGKILL');
    // The agent looks every ten seconds whether its command is still there.
    await expect.poll(() => agentsOn(temporary), { timeout: 20_000 }).toEqual([]);
  });
});
