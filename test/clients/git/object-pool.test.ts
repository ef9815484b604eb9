import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createGit, type Git } from '../../../clients/git.ts';
import { createObjectPool, type ObjectPool } from '../../../clients/git/object-pool.ts';
import { createTestRepository, type TestRepository } from './repository.ts';

let remote: TestRepository;
let pool: ObjectPool;
let env: Record<string, string>;

beforeEach(() => {
  remote = createTestRepository();
  env = { PATH: process.env['PATH'] ?? '', GIT_DIR: join(remote.path, '.git') };
  pool = createObjectPool();
});

afterEach(() => {
  pool.close();
  vi.unstubAllEnvs();
  remote.remove();
});

const read = async (names: readonly string[], maxBytes = 1_000_000): Promise<string[] | null> =>
  (await pool.read({ env, names, maxBytes }))?.map(({ content }) => Buffer.from(content).toString()) ?? null;

function blob(content: string): string {
  return execFileSync('git', ['hash-object', '-w', '--stdin'], { cwd: remote.path, input: content, encoding: 'utf8' }).trim();
}

const NOWHERE = 'f'.repeat(40);

describe('objects by name', () => {
  it('are given in the order that they were asked for, whole, also when many ask at once', async () => {
    const contents = Array.from({ length: 200 }, (_, index) => `${index}\n`.repeat(index * 50));
    const names = contents.map(blob);
    const answers = await Promise.all(contents.map((_, index) => read([names[index] ?? '', names[199 - index] ?? ''])));
    expect(answers).toEqual(contents.map((content, index) => [content, contents[199 - index]]));
  });

  it('are found in packs that came later, and after a repack', async () => {
    const first = blob('first');
    expect(await read([first])).toEqual(['first']);
    remote.commit({ a: 'second' });
    const second = remote.git('rev-parse', 'HEAD:a');
    remote.git('gc', '--quiet');
    expect(await read([second])).toEqual(['second']);
    remote.commit({ a: 'third' });
    remote.git('gc', '--quiet', '--prune=now');
    expect(await read([second, remote.git('rev-parse', 'HEAD:a')])).toEqual(['second', 'third']);
  });

  it('are null where one is missing, and nothing of that reaches the next answer', async () => {
    const there = blob('there');
    const [missing, , found] = await Promise.all([read([there, NOWHERE]), read([there]), read([NOWHERE, there])]);
    expect([missing, found]).toEqual([null, null]);
    expect(await read([there])).toEqual(['there']);
  });

  it('are null where they are more than was asked for, without being read', async () => {
    const big = blob('x'.repeat(10_000));
    expect(await read([big], 9_999)).toBe(null);
    expect(await read([big, blob('x')], 10_000)).toBe(null);
    expect(await read([big], 10_000)).toEqual(['x'.repeat(10_000)]);
  });

  it('are null where the content is not what the name says', async () => {
    const [one, other] = [blob('one'), blob('other')];
    const pathOf = (name: string): string => join(remote.path, '.git/objects', name.slice(0, 2), name.slice(2));
    rmSync(pathOf(one));
    writeFileSync(pathOf(one), readFileSync(pathOf(other)));
    expect(await read([one])).toBe(null);
  });

  it('are null where there is no repository, and where there is no git', async () => {
    expect(await pool.read({ env: { ...env, GIT_DIR: '/nowhere' }, names: [NOWHERE], maxBytes: 1 })).toBe(null);
    expect(await pool.read({ env: { PATH: '/nowhere', GIT_DIR: `${env['GIT_DIR']}/` }, names: [NOWHERE], maxBytes: 1 })).toBe(null);
  });

  it('are null when the process that reads is killed, and the next one answers', async () => {
    const there = blob('there');
    await read([there]);
    const pids = execFileSync('pgrep', ['--parent', String(process.pid), '--full', 'git cat-file --batch'], { encoding: 'utf8' })
      .trim()
      .split('\n');
    expect(pids).toHaveLength(1);
    process.kill(Number(pids[0]), 'SIGSTOP');
    const waiting = read([there]);
    process.kill(Number(pids[0]), 'SIGKILL');
    expect(await waiting).toBe(null);
    expect(await read([there])).toEqual(['there']);
  });
});

describe('a snapshot', () => {
  const signal = new AbortController().signal;
  let cacheDirectory: string;
  const opened: Git[] = [];

  function open(): Git {
    const git = createGit({ cacheDirectory, resolve: () => Promise.reject(new Error('no credential is expected')), allowFileRepositories: true });
    opened.push(git);
    return git;
  }

  beforeEach(() => {
    cacheDirectory = mkdtempSync(join(tmpdir(), 'vartrack-test-objects-'));
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((git) => git.close()));
    rmSync(cacheDirectory, { recursive: true, force: true });
  });

  /** A git before the real one that has no `cat-file --batch` to go on running. */
  function withoutLongLivedReads(): void {
    const bin = join(cacheDirectory, 'bin');
    const real = execFileSync('which', ['git'], { encoding: 'utf8' }).trim();
    mkdirSync(bin);
    writeFileSync(join(bin, 'git'), `#!/bin/sh\n[ "$1 $2" = 'cat-file --batch' ] && exit 1\nexec '${real}' "$@"\n`, { mode: 0o755 });
    vi.stubEnv('PATH', `${bin}:${process.env['PATH']}`);
  }

  it('is the same whether objects can be read at once or by processes of their own', async () => {
    const files = { a: '1', 'a.b/c': '2', 'deep/er/b': '3', 'deep/er.yaml': '4', 'ünï/ code.yaml': '5', empty: '' };
    const first = remote.commit(files);
    const second = remote.commit({ 'deep/er/b': 'changed' });
    const repository = { provider: 'generic' as const, url: remote.path, pollMs: null };
    const see = async (git: Git): Promise<unknown> => {
      const { commit } = await git.fetch(repository, 'refs/heads/main', signal);
      const snapshot = await git.open(repository, commit);
      const older = await git.open(repository, first);
      const order = [
        await git.isAncestor(repository, first, second),
        await git.isAncestor(repository, second, first),
        await git.isAncestor(repository, first, first),
      ];
      const unknown = [await git.isAncestor(repository, NOWHERE, first), await git.isAncestor(repository, NOWHERE, NOWHERE)];
      const names = [...Object.keys(files), 'not/there'];
      return { list: await snapshot.list(), older: await older.list(), files: await snapshot.read(names), order, unknown };
    };
    const atOnce = await see(open());
    withoutLongLivedReads();
    const carefully = await see(open());
    expect(atOnce).toEqual(carefully);
    expect(atOnce).toMatchObject({ order: ['yes', 'no', 'yes'], unknown: ['unknown', 'unknown'] });
  });
});
