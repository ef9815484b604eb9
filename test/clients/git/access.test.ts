import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createGit, type Git } from '../../../clients/git.ts';
import type { Repository } from '../../../domain/bundle.ts';
import { startGitHttp, type GitHttp, type GitHttpOptions } from '../../servers/git-http.ts';
import { createTestRepository, type TestRepository } from './repository.ts';

const TOKEN = 'ghp_very$ecret"token\'%s';
const signal = new AbortController().signal;
let root: string;
let cacheDirectory: string;
let remote: TestRepository;
let token: string;
let lines: string[];
let git: Git;
const servers: GitHttp[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vartrack-test-root-'));
  cacheDirectory = join(root, 'cache');
  remote = createTestRepository(join(root, 'config.git'));
  token = TOKEN;
  lines = [];
  git = createGit({ cacheDirectory, resolve: () => Promise.resolve(token), allowFileRepositories: false, log: (line) => lines.push(line) });
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await git.close();
  await Promise.all(servers.splice(0).map((server) => server.close()));
  rmSync(root, { recursive: true, force: true });
});

async function serve(options: Partial<GitHttpOptions> = {}): Promise<Repository> {
  const server = await startGitHttp({ root, login: { username: 'x-access-token', token: TOKEN }, ...options });
  servers.push(server);
  return { provider: 'github', url: `${server.url}/config.git/.git`, credentials: { token: { env: 'T' } }, pollMs: null };
}

/** Every file below the directory, with what it holds. */
function contentsBelow(directory: string): string {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile())
    .map((path) => `${path}\n${readFileSync(path, 'latin1')}`)
    .join('\n');
}

function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      } catch {
        return '';
      }
    });
}

it('reads with a token over http', async () => {
  const commit = remote.commit({ 'a.yaml': 'a: 1' });
  const repository = await serve();
  expect((await git.heads(repository, signal)).get('refs/heads/main')).toBe(commit);
  expect(await git.fetch(repository, 'refs/heads/main', signal)).toEqual({ commit });
  expect((await (await git.open(repository, commit)).read(['a.yaml'])).size).toBe(1);
});

it('asks once more for a token of Vault that was refused, and goes on with another one', async () => {
  const commit = remote.commit({ 'a.yaml': 'a: 1' });
  const repository = { ...(await serve()), credentials: { token: { vault: 'vault:git#token', tenant: 'acme' } } };
  const asked: boolean[] = [];
  const remembering = createGit({
    cacheDirectory,
    resolve: async (_reference, { notBefore } = {}) => {
      asked.push(notBefore !== undefined);
      return notBefore === undefined ? 'old' : TOKEN;
    },
    allowFileRepositories: false,
  });
  try {
    expect(await remembering.fetch(repository, 'refs/heads/main', signal)).toEqual({ commit });
    expect((await remembering.heads(repository, signal)).get('refs/heads/main')).toBe(commit);
    expect(asked).toEqual([false, true, false, true]);
  } finally {
    await remembering.close();
  }
});

it('tells that a token of Vault is refused when there is no other', async () => {
  remote.commit({ 'a.yaml': 'a: 1' });
  const repository = { ...(await serve()), credentials: { token: { vault: 'vault:git#token', tenant: 'acme' } } };
  token = 'wrong';
  await expect(git.heads(repository, signal)).rejects.toMatchObject({ reason: 'unauthorized' });
});

it('fetches a commit that no ref points at, and opens one it never fetched', async () => {
  const first = remote.commit({ a: '1' });
  remote.commit({ a: '2' });
  const repository = await serve();
  expect(await git.fetch(repository, first, signal)).toEqual({ commit: first });
  await git.close();
  rmSync(cacheDirectory, { recursive: true });
  git = createGit({ cacheDirectory, resolve: () => Promise.resolve(token), allowFileRepositories: false });
  expect(await (await git.open(repository, first)).list()).toHaveLength(1);
  await expect(git.open(repository, '1'.repeat(40))).rejects.toMatchObject({ reason: 'not-found' });
});

it('shows the token in no process, file, message or log while it is used', async () => {
  remote.commit({ a: '1' });
  let seen = '';
  const repository = await serve({
    onRequest: (request) => {
      if (request.headers.authorization) seen += commandLines().join('\n') + contentsBelow(cacheDirectory);
      return 'pass';
    },
  });
  await git.fetch(repository, 'refs/heads/main', signal);
  expect(seen).toContain('refs/heads/main');
  expect(seen + contentsBelow(cacheDirectory) + lines.join('\n')).not.toContain(TOKEN);
  token = 'wrong-token';
  const error = await git.fetch(repository, 'refs/heads/main', signal).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ reason: 'unauthorized' });
  expect(String(error)).not.toContain('wrong-token');
});

it('takes a token out of what a server repeats', async () => {
  const repository = await serve({
    onRequest: (request, response) => {
      if (!request.headers.authorization) return 'pass';
      response.writeHead(403, { 'content-type': 'text/plain' }).end(`no access for ${TOKEN}`);
      return 'answered';
    },
  });
  const error = await git.heads(repository, signal).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ reason: 'unauthorized' });
  expect(String(error)).not.toContain(TOKEN);
});

it.each([
  [404, 'not-found'],
  [403, 'unauthorized'],
  [429, 'unavailable'],
  [503, 'unavailable'],
])('takes status %i for %s', async (status, reason) => {
  const repository = await serve({
    onRequest: (_, response) => {
      response.writeHead(status).end();
      return 'answered';
    },
  });
  await expect(git.heads(repository, signal)).rejects.toMatchObject({ reason, message: expect.stringContaining(repository.url) });
  await expect(git.fetch(repository, 'refs/heads/main', signal)).rejects.toMatchObject({ reason });
});

it('takes a refused connection and one that breaks off for unavailable', async () => {
  remote.commit({ a: 'x'.repeat(100_000) });
  const repository = await serve({
    onRequest: (request, response) => {
      if (request.method !== 'POST') return 'pass';
      response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-result', 'content-length': '1000' });
      response.write('0011packfile');
      setImmediate(() => response.destroy());
      return 'answered';
    },
  });
  await expect(git.fetch(repository, 'refs/heads/main', signal)).rejects.toMatchObject({ reason: 'unavailable' });
  await Promise.all(servers.splice(0).map((server) => server.close()));
  await expect(git.heads(repository, signal)).rejects.toMatchObject({ reason: 'unavailable' });
});

it('does not send the token to the host that a redirect leads to', async () => {
  remote.commit({ a: '1' });
  const received: (string | undefined)[] = [];
  const other = await serve({
    onRequest: (request, response) => {
      received.push(request.headers.authorization);
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      return 'answered';
    },
  });
  const repository = await serve({
    onRequest: (request, response) => {
      response.writeHead(302, { location: `${other.url}/info/refs?service=git-upload-pack` }).end();
      return request ? 'answered' : 'pass';
    },
  });
  await expect(git.heads(repository, signal)).rejects.toMatchObject({ reason: 'unauthorized' });
  expect(received.length).toBeGreaterThan(0);
  expect(received.every((header) => header === undefined)).toBe(true);
});

it('ends at once when it is aborted, and leaves no process', async () => {
  remote.commit({ a: '1' });
  const arrived = Promise.withResolvers<void>();
  const repository = await serve({
    onRequest: () => {
      arrived.resolve();
      return new Promise(() => undefined);
    },
  });
  const controller = new AbortController();
  const outcome = git.fetch(repository, 'refs/heads/main', controller.signal).catch((thrown: unknown) => thrown);
  await arrived.promise;
  controller.abort(new Error('enough'));
  expect(await outcome).toMatchObject({ message: 'enough' });
  await expect.poll(() => commandLines().filter((line) => line.includes(repository.url)), { timeout: 5000 }).toEqual([]);
});

it('takes a server that never answers for unavailable after its timeout', async () => {
  const repository = await serve({ onRequest: () => new Promise(() => undefined) });
  const hasty = createGit({ cacheDirectory, resolve: () => Promise.resolve(token), allowFileRepositories: false, limits: { commandTimeoutMs: 300 } });
  await expect(hasty.heads(repository, signal)).rejects.toMatchObject({ reason: 'unavailable', message: expect.stringContaining('too long') });
  await hasty.close();
});

it('trusts a certificate only when its authority is known', async () => {
  const commit = remote.commit({ a: '1' });
  const [key, cert] = [join(root, 'key.pem'), join(root, 'cert.pem')];
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=127.0.0.1',
    '-addext',
    'subjectAltName=IP:127.0.0.1',
  ];
  execFileSync('openssl', [...args, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const repository = await serve({ tls: { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') } });
  await expect(git.heads(repository, signal)).rejects.toMatchObject({ reason: 'rejected' });
  vi.stubEnv('GIT_SSL_CAINFO', cert);
  expect(await git.fetch(repository, 'refs/heads/main', signal)).toEqual({ commit });
});

it('keeps a mirror for each credential, so that nobody reads what only another may', async () => {
  const commit = remote.commit({ a: '1' });
  const repository = await serve();
  await git.fetch(repository, 'refs/heads/main', signal);
  const { credentials: _, ...stranger } = repository;
  await expect(git.open(stranger, commit)).rejects.toMatchObject({ reason: 'unauthorized' });
});

it('reads a public repository without a credential', async () => {
  const commit = remote.commit({ a: '1' });
  const server = await startGitHttp({ root });
  servers.push(server);
  expect(await git.fetch({ provider: 'generic', url: `${server.url}/config.git/.git`, pollMs: null }, 'refs/heads/main', signal)).toEqual({ commit });
});
