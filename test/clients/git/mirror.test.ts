import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createGit, type Git, type GitLimits } from '../../../clients/git.ts';
import type { Repository } from '../../../domain/bundle.ts';
import { createTestRepository, type TestRepository } from './repository.ts';

const signal = new AbortController().signal;
let root: string;
let cacheDirectory: string;
let remote: TestRepository;
let repository: Repository;
let lines: string[];
let git: Git;
const opened: Git[] = [];

function open(limits: Partial<GitLimits> = {}): Git {
  const made = createGit({
    cacheDirectory,
    resolve: () => Promise.reject(new Error('no credential is expected')),
    allowFileRepositories: true,
    limits,
    log: (line) => lines.push(line),
  });
  opened.push(made);
  return made;
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vartrack-test-mirror-'));
  cacheDirectory = join(root, 'cache');
  remote = createTestRepository(join(root, 'remote'));
  repository = { provider: 'generic', url: remote.path, pollMs: null };
  lines = [];
  git = open();
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(opened.splice(0).map((each) => each.close()));
  rmSync(root, { recursive: true, force: true });
});

function mirror(): string {
  const [name, ...more] = readdirSync(cacheDirectory).filter((entry) => entry.endsWith('.git'));
  if (!name || more.length > 0) throw new Error(`expected one mirror, found ${readdirSync(cacheDirectory).join(', ')}`);
  return join(cacheDirectory, name);
}

const packs = (): string[] => readdirSync(join(mirror(), 'objects/pack')).filter((name) => name.endsWith('.pack'));

function writablePack(): string {
  const path = join(mirror(), 'objects/pack', packs()[0] ?? '');
  chmodSync(path, 0o600);
  return path;
}

async function contentOf(commit: string, path: string): Promise<string> {
  return Buffer.from((await (await git.open(repository, commit)).read([path])).get(path) ?? []).toString();
}

/** Puts a git before the real one that writes down each command. */
function countCommands(): () => string[] {
  const bin = join(root, 'bin');
  const record = join(root, 'commands');
  mkdirSync(bin);
  const real = process.env['PATH']
    ?.split(delimiter)
    .map((folder) => join(folder, 'git'))
    .find((path) => statSync(path, { throwIfNoEntry: false }));
  writeFileSync(join(bin, 'git'), `#!/bin/sh\necho "$1" >> '${record}'\nexec '${real}' "$@"\n`, { mode: 0o755 });
  writeFileSync(record, '');
  vi.stubEnv('PATH', `${bin}${delimiter}${process.env['PATH']}`);
  return () => readFileSync(record, 'utf8').split('\n').filter(Boolean);
}

describe('concurrent callers', () => {
  it('share one fetch of one ref', async () => {
    const commands = countCommands();
    const commit = remote.commit({ a: '1' });
    const results = await Promise.all(Array.from({ length: 30 }, () => git.fetch(repository, 'refs/heads/main', signal)));
    expect(results).toEqual(Array.from({ length: 30 }, () => ({ commit })));
    expect(commands().filter((command) => command === 'fetch')).toHaveLength(1);
  });

  it('get their own refs', async () => {
    const commits: string[] = [];
    for (let index = 0; index < 8; index++) {
      commits.push(remote.commit({ a: String(index) }));
      remote.git('branch', `b${index}`);
    }
    const results = await Promise.all(commits.map((_, index) => git.fetch(repository, `refs/heads/b${index}`, signal)));
    expect(results.map((result) => result.commit)).toEqual(commits);
  });

  it('list and read commit after commit with one process that goes on running', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `f${index}`);
    const commands = countCommands();
    for (const round of [1, 2, 3]) {
      remote.commit(Object.fromEntries(names.map((name) => [`d/${name}`, `${name} ${round}`])));
      const { commit } = await git.fetch(repository, 'refs/heads/main', signal);
      const files = await (await git.open(repository, commit)).read(names.map((name) => `d/${name}`));
      expect(Buffer.from(files.get('d/f99') ?? []).toString()).toBe(`f99 ${round}`);
    }
    const own = ['init', 'fetch', 'cat-file', 'merge-base', 'ls-tree'];
    const counts = Object.fromEntries(own.map((name) => [name, commands().filter((command) => command === name).length]));
    expect(counts).toEqual({ init: 1, fetch: 3, 'cat-file': 1, 'merge-base': 0, 'ls-tree': 0 });
  });

  it('of two processes work on one cache directory at once', async () => {
    const commits: string[] = [];
    for (let index = 0; index < 6; index++) {
      commits.push(remote.commit({ a: `${index}` }));
      remote.git('branch', `b${index}`);
    }
    const program = `
      import { createGit } from ${JSON.stringify(new URL('../../../clients/git.ts', import.meta.url).href)};
      const git = createGit({ cacheDirectory: ${JSON.stringify(cacheDirectory)}, resolve: () => Promise.reject(new Error()), allowFileRepositories: true });
      const repository = { provider: 'generic', url: ${JSON.stringify(remote.path)}, pollMs: null };
      const signal = new AbortController().signal;
      const found = [];
      for (let round = 0; round < 3; round++)
        found.push(await Promise.all([0, 1, 2, 3, 4, 5].map(async (n) => (await git.fetch(repository, 'refs/heads/b' + n, signal)).commit)));
      await git.close();
      console.log(JSON.stringify(found));
    `;
    const outputs = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] });
        const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
        return { code, output: output.trim() };
      }),
    );
    expect(outputs).toEqual(Array.from({ length: 3 }, () => ({ code: 0, output: JSON.stringify([commits, commits, commits]) })));
    expect(readdirSync(cacheDirectory)).toHaveLength(1);
  });
});

describe('a damaged mirror is made anew once', () => {
  const damages: Readonly<Record<string, () => void>> = {
    'a truncated pack': () => truncateSync(writablePack(), 40),
    'an empty pack': () => truncateSync(writablePack(), 0),
    'a pack with other bytes in it': () => {
      const path = writablePack();
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.fill(0xaa, 20, bytes.length - 20));
    },
    'a missing pack': () => rmSync(writablePack()),
    'a missing HEAD': () => rmSync(join(mirror(), 'HEAD')),
    'an empty HEAD': () => truncateSync(join(mirror(), 'HEAD')),
    'missing objects': () => rmSync(join(mirror(), 'objects'), { recursive: true }),
    'a broken config': () => appendFileSync(join(mirror(), 'config'), '\n[core\n'),
    'no mirror at all': () => rmSync(mirror(), { recursive: true }),
  };

  it.each(Object.keys(damages))('after %s, by a fetch', async (damage) => {
    remote.commit({ a: 'first' });
    await git.fetch(repository, 'refs/heads/main', signal);
    damages[damage]?.();
    const commit = remote.commit({ a: 'second' });
    expect(await git.fetch(repository, 'refs/heads/main', signal)).toEqual({ commit });
    expect(await contentOf(commit, 'a')).toBe('second');
  });

  it.each(Object.keys(damages))('after %s, by a read of an open snapshot', async (damage) => {
    const commit = remote.commit({ a: 'first' });
    await git.fetch(repository, 'refs/heads/main', signal);
    const snapshot = await git.open(repository, commit);
    damages[damage]?.();
    expect(Buffer.from((await snapshot.read(['a'])).get('a') ?? []).toString()).toBe('first');
  });

  it.each(Object.keys(damages))('after %s, and ancestry is unknown, not denied', async (damage) => {
    const first = remote.commit({ a: 'first' });
    const second = remote.commit({ a: 'second' });
    await git.fetch(repository, 'refs/heads/main', signal);
    damages[damage]?.();
    expect(await git.isAncestor(repository, first, second)).toBe('unknown');
    expect(await git.touched(repository, first, second, ['b'])).toBe(true);
  });

  it('and says so in the log, while a damaged remote is an error', async () => {
    const commit = remote.commit({ a: 'first' });
    await git.fetch(repository, 'refs/heads/main', signal);
    damages['a missing HEAD']?.();
    expect(await contentOf(commit, 'a')).toBe('first');
    expect(lines.join('\n')).toContain('made anew');
    const object = remote.git('rev-parse', `${remote.commit({ a: 'second' })}:a`);
    const path = join(remote.path, '.git/objects', object.slice(0, 2), object.slice(2));
    chmodSync(path, 0o600);
    writeFileSync(path, 'garbage');
    await expect(git.fetch(repository, 'refs/heads/main', signal)).rejects.toMatchObject({ reason: 'corrupt' });
  });
});

describe('what a dead process left', () => {
  it('does not stop a fetch', async () => {
    const first = remote.commit({ a: '1' });
    await git.fetch(repository, 'refs/heads/main', signal);
    const second = remote.commit({ a: '2' });
    const old = new Date(Date.now() - 7_200_000);
    mkdirSync(join(mirror(), 'refs/vartrack/commits'), { recursive: true });
    const left = [join(mirror(), 'packed-refs.lock'), join(mirror(), `refs/vartrack/commits/${second}.lock`), join(mirror(), 'objects/pack/tmp_pack_abc')];
    for (const path of left) {
      writeFileSync(path, first);
      utimesSync(path, old, old);
    }
    expect(await git.fetch(repository, 'refs/heads/main', signal)).toEqual({ commit: second });
    for (const path of left) expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  });

  it('half-way through making a mirror is never taken for one', async () => {
    const commit = remote.commit({ a: '1' });
    await git.fetch(repository, 'refs/heads/main', signal);
    const half = join(cacheDirectory, '.new-left');
    renameSync(mirror(), half);
    rmSync(join(half, 'HEAD'));
    const old = new Date(Date.now() - 7_200_000);
    utimesSync(half, old, old);
    expect(await git.fetch(repository, 'refs/heads/main', signal)).toEqual({ commit });
    expect(readdirSync(cacheDirectory)).toHaveLength(1);
  });
});

describe('limits', () => {
  const noise = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes));

  it('stop a fetch that brings too much, and leave nothing of it', async () => {
    remote.commit({ big: new Uint8Array([...noise(60_000), ...noise(60_000), ...noise(60_000)]) });
    const small = open({ maxMirrorBytes: 100_000 });
    await expect(small.fetch(repository, 'refs/heads/main', signal)).rejects.toMatchObject({ reason: 'rejected', message: expect.stringContaining('limit') });
    expect(readdirSync(join(mirror(), 'objects/pack'))).toEqual([]);
  });

  it('drop a mirror that grew too big', async () => {
    const small = open({ maxMirrorBytes: 100_000 });
    remote.commit({ a: noise(60_000) });
    await small.fetch(repository, 'refs/heads/main', signal);
    remote.commit({ a: noise(60_000) });
    await expect(small.fetch(repository, 'refs/heads/main', signal)).rejects.toMatchObject({ reason: 'rejected' });
    expect(readdirSync(cacheDirectory)).toEqual([]);
  });

  it('refuse a tree of too many files', async () => {
    const commit = remote.commit({ a: '1', b: '2', c: '3' });
    await expect(open({ maxEntries: 2 }).open(repository, commit)).rejects.toMatchObject({ reason: 'rejected' });
  });
});

it('packs a mirror again when fetches have made many packs', async () => {
  for (let index = 0; index < 52; index++) {
    remote.commit({ a: `${index}` });
    await git.fetch(repository, 'refs/heads/main', signal);
  }
  await expect.poll(() => packs().length, { timeout: 10_000 }).toBeLessThan(5);
});

it('runs no hook, filter or program that a repository or a user configured', async () => {
  const proof = join(root, 'ran');
  const home = join(root, 'home');
  mkdirSync(home);
  writeFileSync(join(home, '.gitconfig'), `[core]\n\thooksPath = ${home}\n\tfsmonitor = touch ${proof}\n[url "/nonexistent"]\n\tinsteadOf = /\n`);
  writeFileSync(join(home, 'reference-transaction'), `#!/bin/sh\ntouch ${proof}\n`, { mode: 0o755 });
  vi.stubEnv('HOME', home);
  vi.stubEnv('GIT_DIR', join(root, 'elsewhere'));
  const commit = remote.commit({ '.gitattributes': '* filter=x', '.lfsconfig': '', a: '1' });
  expect(await git.fetch(repository, 'refs/heads/main', signal)).toEqual({ commit });
  expect(await contentOf(commit, 'a')).toBe('1');
  expect(statSync(proof, { throwIfNoEntry: false })).toBeUndefined();
});
