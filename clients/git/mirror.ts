import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gitEnvironment } from './environment.ts';
import { explainFailure } from './explain-failure.ts';
import type { FoundObject } from './host-protocol.ts';
import type { GitExit, GitRunner } from './run-git.ts';

/** A bare repository in the cache directory, one for each URL and credential. Several processes may use it at once. */
export interface Mirror {
  readonly directory: string;
  /** URL of the repository, for messages. */
  readonly of: string;
  /** Creates it where it is not there; tells whether it was. */
  ensure(signal: AbortSignal | undefined): Promise<'found' | 'made'>;
  /** Runs a git command that reads or changes only the mirror. */
  git(
    args: readonly string[],
    options: { readonly signal: AbortSignal | undefined; readonly input?: string; readonly maxOutputBytes?: number; readonly timeoutMs?: number },
  ): Promise<GitExit>;
  /** Objects by name; null where that cannot be told for certain: a process of its own then says why. */
  objects(names: readonly string[], maxBytes: number, signal: AbortSignal | undefined): Promise<readonly FoundObject[] | null>;
  /** The object that a ref names in a file of its own, as it does when it was just written; null where it does not. */
  looseRef(ref: string): Promise<string | null>;
  /** Which of the commits it has. */
  has(commits: readonly string[], signal: AbortSignal | undefined): Promise<ReadonlySet<string>>;
  /** Tells this mirror from one that was made anew in its place; null where there is none. */
  identity(): Promise<string | null>;
  /** Removes the mirror if it still is the one that `identity` names. */
  drop(identity: string | null): Promise<void>;
  packs(): Promise<{ readonly count: number; readonly bytes: number }>;
  /** Removes what processes left when they were killed: lock files, and packs that were not finished. */
  removeRemains(): Promise<void>;
  /** Removes unfinished packs that have reached the size limit; tells whether there was one. */
  removeOversized(maxBytes: number): Promise<boolean>;
}

const STALE_LOCK_MS = 60_000;
const STALE_REMAINS_MS = 3_600_000;
const UNFINISHED = /^tmp_/;
const REMAINS = /^\.(new|trash)-/;

export function createMirror(directory: string, of: string, runner: GitRunner, timeoutMs: number): Mirror {
  const cache = dirname(directory);
  const env = gitEnvironment(directory, null, {}, {});
  const git: Mirror['git'] = (args, options) => runner.run({ args, env, timeoutMs, maxOutputBytes: 1 << 20, lane: 'local', ...options });

  async function identity(): Promise<string | null> {
    const found = await stat(directory).catch(absent);
    return found && `${found.ino}-${found.birthtimeMs}`;
  }

  return {
    directory,
    of,
    git,
    identity,
    ensure: async (signal) => {
      if ((await identity()) !== null) return 'found';
      await mkdir(cache, { recursive: true, mode: 0o700 });
      await removeOld(cache, (name) => REMAINS.test(name), STALE_REMAINS_MS);
      // Made beside its place and moved there: nobody ever sees a mirror that is half made.
      const made = join(cache, `.new-${randomUUID()}`);
      const args = ['init', '--bare', '--quiet', '--template=', '--initial-branch=main'];
      const exit = await runner.run({ args, env: gitEnvironment(made, null, {}, {}), timeoutMs, maxOutputBytes: 1 << 20, lane: 'local', signal });
      if (exit.code !== 0) throw explainFailure(`cannot make a mirror for ${of}`, exit);
      await rename(made, directory).catch(async (error: NodeJS.ErrnoException) => {
        await rm(made, { recursive: true, force: true });
        // Another process was first.
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
      });
      return 'made';
    },
    objects: (names, maxBytes, signal) => runner.read({ env, names, maxBytes }, signal),
    looseRef: async (ref) => {
      const text = await readFile(join(directory, ref), 'utf8').catch(absent);
      return /^[0-9a-f]{40}\n$/.test(text ?? '') ? (text?.trim() ?? null) : null;
    },
    has: async (commits, signal) => {
      if ((await identity()) === null) return new Set();
      const input = commits.map((commit) => `${commit}^{commit}\n`).join('');
      const exit = await git(['cat-file', '--batch-check=%(objectname)'], { signal, input });
      // A pack that cannot be read makes an object "missing" too, but git then complains.
      if (exit.end !== 'exit' || exit.code !== 0 || complains(exit)) throw explainFailure(`the mirror of ${of} cannot be read`, exit);
      const answers = exit.stdout.toString().split('\n');
      return new Set(commits.filter((commit, index) => answers[index] === commit));
    },
    drop: async (known) => {
      if (known === null || (await identity()) !== known) return;
      const trash = join(cache, `.trash-${randomUUID()}`);
      if ((await rename(directory, trash).catch(absent)) === null) return;
      await rm(trash, { recursive: true, force: true });
    },
    packs: async () => {
      const folder = join(directory, 'objects', 'pack');
      const files = (await readdir(folder).catch(absent)) ?? [];
      const sizes = await Promise.all(files.map(async (file) => (await stat(join(folder, file)).catch(absent))?.size ?? 0));
      return { count: files.filter((file) => file.endsWith('.pack')).length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
    },
    removeOversized: async (maxBytes) => {
      const folder = join(directory, 'objects', 'pack');
      let found = false;
      for (const name of ((await readdir(folder).catch(absent)) ?? []).filter((file) => UNFINISHED.test(file))) {
        const size = (await stat(join(folder, name)).catch(absent))?.size ?? 0;
        // The kernel's limit counts in blocks of 512 bytes.
        if (size < maxBytes - 512) continue;
        found = true;
        await rm(join(folder, name), { force: true });
      }
      return found;
    },
    removeRemains: async () => {
      await removeOld(join(directory, 'objects', 'pack'), (name) => UNFINISHED.test(name), STALE_REMAINS_MS);
      for (const folder of [directory, join(directory, 'refs', 'vartrack', 'commits')])
        await removeOld(folder, (name) => name.endsWith('.lock'), STALE_LOCK_MS);
    },
  };
}

/** A running git holds a lock for milliseconds and works on a new mirror for less: what is much older belongs to a dead process. */
async function removeOld(folder: string, matches: (name: string) => boolean, ageMs: number): Promise<void> {
  for (const name of (await readdir(folder).catch(absent)) ?? []) {
    if (!matches(name)) continue;
    const found = await stat(join(folder, name)).catch(absent);
    if (found && Date.now() - found.mtimeMs > ageMs) await rm(join(folder, name), { recursive: true, force: true });
  }
}

function absent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
  throw error;
}

/** Git may end well and still have met something unreadable. */
export function complains(exit: GitExit): boolean {
  return /^(error|fatal):/m.test(exit.stderr);
}
