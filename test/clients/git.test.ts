import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createGit, type Git, type GitOptions } from '../../clients/git.ts';
import type { Repository } from '../../domain/bundle.ts';
import { createTestRepository, type TestRepository } from './git/repository.ts';

const signal = new AbortController().signal;
let cacheDirectory: string;
let remote: TestRepository;
let repository: Repository;
let git: Git;
const opened: Git[] = [];

function open(options: Partial<GitOptions> = {}): Git {
  const made = createGit({ cacheDirectory, resolve: () => Promise.reject(new Error('no credential is expected')), allowFileRepositories: true, ...options });
  opened.push(made);
  return made;
}

beforeEach(async () => {
  cacheDirectory = await mkdtemp(join(tmpdir(), 'vartrack-test-cache-'));
  remote = createTestRepository();
  repository = { provider: 'generic', url: remote.path, pollMs: null };
  git = open();
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(opened.splice(0).map((each) => each.close()));
  remote.remove();
  await rm(cacheDirectory, { recursive: true, force: true });
});

const text = (files: ReadonlyMap<string, Uint8Array>): Record<string, string> =>
  Object.fromEntries([...files].map(([path, content]) => [path, Buffer.from(content).toString()]));

describe('heads', () => {
  it('tells branches, tags peeled to their commits, and pull requests, and nothing else', async () => {
    const first = remote.commit({ a: '1' });
    remote.git('tag', 'light');
    remote.git('tag', '--annotate', '--message=x', 'v1');
    const second = remote.commit({ a: '2' });
    remote.git('update-ref', 'refs/pull/7/head', first);
    remote.git('update-ref', 'refs/pull/7/merge', first);
    remote.git('update-ref', 'refs/merge-requests/8/head', second);
    remote.git('update-ref', 'refs/notes/commits', second);
    expect(Object.fromEntries(await git.heads(repository, signal))).toEqual({
      'refs/heads/main': second,
      'refs/tags/light': first,
      'refs/tags/v1': first,
      'refs/pull/7/head': first,
      'refs/merge-requests/8/head': second,
    });
  });

  it('gives no refs for an empty repository and an error for a missing one', async () => {
    expect((await git.heads(repository, signal)).size).toBe(0);
    await expect(git.heads({ ...repository, url: `${remote.path}-gone` }, signal)).rejects.toMatchObject({ reason: 'not-found', missing: 'repository' });
  });
});

describe('fetch', () => {
  it('follows a branch as the remote has it now, also through a force push', async () => {
    const first = remote.commit({ a: '1' });
    expect(await git.fetch(repository, 'refs/heads/main', signal)).toEqual({ commit: first });
    const second = remote.commit({ a: '2' });
    expect(await git.fetch(repository, 'refs/heads/main', signal)).toEqual({ commit: second });
    remote.git('reset', '--quiet', '--hard', first);
    const third = remote.commit({ a: '3' });
    expect(await git.fetch(repository, 'refs/heads/main', signal)).toEqual({ commit: third });
    expect(await git.fetch({ ...repository, url: `file://${remote.path}` }, 'refs/heads/main', signal)).toEqual({ commit: third });
    expect(await git.isAncestor(repository, second, third)).toBe('no');
    expect(await git.isAncestor(repository, first, third)).toBe('yes');
    expect(await git.isAncestor(repository, '0'.repeat(40), third)).toBe('unknown');
  });

  it('says that a deleted branch is not found', async () => {
    remote.commit({ a: '1' });
    remote.git('branch', 'gone');
    await git.fetch(repository, 'refs/heads/gone', signal);
    remote.git('branch', '-D', 'gone');
    await expect(git.fetch(repository, 'refs/heads/gone', signal)).rejects.toMatchObject({
      reason: 'not-found',
      missing: 'revision',
      message: expect.stringContaining(remote.path),
    });
  });

  it('gives the commit of an annotated tag and refuses a tag of something else', async () => {
    const commit = remote.commit({ a: '1' });
    remote.git('tag', '--annotate', '--message=x', 'v1');
    remote.git('tag', 'blob', remote.git('rev-parse', 'HEAD:a'));
    expect(await git.fetch(repository, 'refs/tags/v1', signal)).toEqual({ commit });
    await expect(git.fetch(repository, 'refs/tags/blob', signal)).rejects.toMatchObject({ reason: 'not-found' });
  });

  it('does not take a branch for a commit that leads to a tree or a file', async () => {
    remote.commit({ a: '1' });
    for (const [name, object] of [
      ['tree', remote.git('rev-parse', 'HEAD^{tree}')],
      ['file', remote.git('rev-parse', 'HEAD:a')],
    ] as const) {
      // Git itself refuses to make one.
      writeFileSync(join(remote.path, '.git/refs/heads', name), `${object}\n`);
      const read = git.fetch(repository, `refs/heads/${name}`, signal).then(({ commit }) => git.open(repository, commit, signal));
      await expect(read).rejects.toMatchObject({ reason: 'not-found', missing: 'revision' });
    }
  });

  it('takes a branch called -x or --upload-pack=… for a branch', async () => {
    const commit = remote.commit({ a: '1' });
    for (const name of ['-x', '--upload-pack=touch pwned'.replace(' ', '-')]) {
      remote.git('update-ref', `refs/heads/${name}`, commit);
      expect(await git.fetch(repository, `refs/heads/${name}`, signal)).toEqual({ commit });
    }
  });

  it('follows a branch that became a folder of branches', async () => {
    const commit = remote.commit({ a: '1' });
    remote.git('branch', 'release');
    await git.fetch(repository, 'refs/heads/release', signal);
    remote.git('branch', '-D', 'release');
    remote.git('branch', 'release/1');
    expect(await git.fetch(repository, 'refs/heads/release/1', signal)).toEqual({ commit });
  });

  it.each([
    'main',
    '-x',
    'refs/heads/a b',
    'refs/heads/a:refs/heads/b',
    'refs/heads/*',
    'refs/heads/../x',
    '+refs/heads/main',
    'HEAD',
    'refs/heads/a\n',
    'abc',
  ])('refuses %j as a revision', async (revision) => {
    await expect(git.fetch(repository, revision, signal)).rejects.toMatchObject({ reason: 'rejected' });
  });

  it.each([
    'ext::sh -c touch% /tmp/pwned',
    '--upload-pack=touch /tmp/pwned',
    '-oProxyCommand=x:y',
    'ssh://-oProxyCommand=x/y',
    'http://example.org/x.git',
    'https://user:secret-in-url@example.org/x.git',
    'git://example.org/x.git',
    'relative/path',
    'https://example.org/x.git\n--upload-pack=y',
  ])('refuses %j as a URL, without repeating it', async (url) => {
    const error = await git.fetch({ ...repository, url }, 'refs/heads/main', signal).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'GitError', reason: 'rejected' });
    expect(String(error)).not.toContain('secret-in-url');
  });

  it('refuses a repository on disk unless the bundle allows it', async () => {
    for (const url of [remote.path, `file://${remote.path}`]) {
      await expect(open({ allowFileRepositories: false }).heads({ ...repository, url }, signal)).rejects.toMatchObject({ reason: 'rejected' });
    }
  });
});

describe('without what it needs', () => {
  it('says that there is no git', async () => {
    vi.stubEnv('PATH', '/nonexistent');
    await expect(git.heads(repository, signal)).rejects.toMatchObject({ reason: 'unavailable', message: expect.stringContaining('install git') });
  });

  it('says that the cache directory cannot be used', async () => {
    remote.commit({ a: '1' });
    const broken = open({ cacheDirectory: join(remote.path, 'a', 'cache') });
    await expect(broken.fetch(repository, 'refs/heads/main', signal)).rejects.toMatchObject({
      reason: 'unavailable',
      message: expect.stringContaining('cache'),
    });
  });
});

describe('read', () => {
  it('gives the bytes of every path however it is named, and leaves out what is not there', async () => {
    const files = {
      'a.yaml': 'a: 1\n',
      'ünï/ço dé.yaml': 'b',
      '"quoted\'.yaml': 'c',
      'new\nline.yaml': 'd',
      '-dash': 'e',
      'tab\t': 'f',
      empty: '',
      ':(glob)x': 'g',
    };
    const snapshot = await git.open(repository, remote.commit({ ...files, binary: new Uint8Array([0, 255, 10, 0, 13]) }));
    const read = await snapshot.read([...Object.keys(files), 'missing.yaml', 'a.yaml/below']);
    expect(text(read)).toEqual(files);
    expect([...((await snapshot.read(['binary'])).get('binary') ?? [])]).toEqual([0, 255, 10, 0, 13]);
    expect((await snapshot.list()).map((entry) => entry.path).toSorted()).toEqual([...Object.keys(files), 'binary'].toSorted());
  });

  it('refuses links, submodules, directories, LFS pointers and big files, each by its name', async () => {
    const commit = remote.commit({
      'dir/file': 'x',
      target: 'x',
      'pointer.yaml': 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n',
      big: 'x'.repeat(2000),
    });
    remote.git('update-index', '--add', '--cacheinfo', `120000,${remote.git('rev-parse', 'HEAD:target')},link`);
    remote.git('update-index', '--add', '--cacheinfo', `160000,${commit},module`);
    remote.git('commit', '--quiet', '--message=links');
    const client = open({ limits: { maxFileBytes: 1000, maxReadBytes: 1500 } });
    const snapshot = await client.open(repository, remote.git('rev-parse', 'HEAD'));
    const error = await snapshot.read(['link', 'link/inside', 'module', 'module/inside', 'dir', 'big']).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'InvalidInput' });
    for (const start of [
      'link:1:1: it is a symbolic link',
      'link/inside:1:1: link is a symbolic link',
      'module:1:1: it is a submodule',
      'module/inside:1:1: module is a submodule',
      'dir:1:1: it is a directory',
      'big:1:1: it has 2000 bytes',
    ]) {
      expect(String(error)).toContain(start);
    }
    await expect(snapshot.read(['pointer.yaml'])).rejects.toThrow(/pointer.yaml:1:1: it is a Git LFS pointer/);
    expect(text(await snapshot.read(['target', 'dir/file']))).toEqual({ target: 'x', 'dir/file': 'x' });
  });

  it('reads a file whose name is not UTF-8 by the name that it lists', async () => {
    writeFileSync(Buffer.concat([Buffer.from(`${remote.path}/`), Buffer.from([0xff, 0x61])]), 'odd');
    const snapshot = await git.open(repository, remote.commit({}));
    const [entry] = await snapshot.list();
    expect(entry).toMatchObject({ path: '\ufffda', kind: 'file', mode: '100644' });
    expect(text(await snapshot.read(['\ufffda']))).toEqual({ '\ufffda': 'odd' });
  });

  it('limits what one call may read together', async () => {
    const snapshot = await open({ limits: { maxReadBytes: 15 } }).open(repository, remote.commit({ a: '0123456789', b: '0123456789!' }));
    expect((await snapshot.read(['a'])).size).toBe(1);
    await expect(snapshot.read(['a', 'b'])).rejects.toThrow(/21 bytes together/);
  });

  it('reads 5,000 files in one call', async () => {
    const files = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`d${index % 50}/f${index}.yaml`, `value: ${index}\n`]));
    const snapshot = await git.open(repository, remote.commit(files));
    expect(text(await snapshot.read(Object.keys(files)))).toEqual(files);
  });
});

describe('touched', () => {
  it('tells whether a commit in between changed one of the paths', async () => {
    const first = remote.commit({ 'a.yaml': '1', 'env/x.yaml': '1', 'deep/er/z.yaml': '1' });
    const second = remote.commit({ 'env/x.yaml': '2' });
    const third = remote.commit({ 'deep/er/z.yaml': '2', 'env/x.yaml': '1' });
    await git.fetch(repository, 'refs/heads/main', signal);
    const touched = (from: string, to: string, ...paths: string[]): Promise<boolean> => git.touched(repository, from, to, paths);
    expect(await touched(first, third, 'a.yaml')).toBe(false);
    expect(await touched(first, third, 'env/x.yaml')).toBe(true);
    expect(await touched(first, third, 'env/*.yaml')).toBe(true);
    expect(await touched(first, second, '**/*.yaml')).toBe(true);
    expect(await touched(second, third, '*.yaml')).toBe(false);
    expect(await touched(second, third, 'deep/**/z.yaml')).toBe(true);
    expect(await touched(first, third, 'deep/{er,est}/*.yaml')).toBe(true);
    expect(await touched(first, second, 'deep/{er,est}/*.yaml')).toBe(false);
    expect(await touched(third, third, 'a.yaml')).toBe(false);
    expect(await touched(third, first, 'a.yaml')).toBe(true);
    expect(await touched('1'.repeat(40), third, 'a.yaml')).toBe(true);
  });
});
