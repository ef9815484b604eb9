import path from 'node:path';
import { LRUCache } from 'lru-cache';
import pLimit, { type LimitFunction } from 'p-limit';
import type { Repository } from '../domain/bundle.ts';
import type { ResolveCredential } from '../sinks/sink.ts';
import { createAccess } from './git/access.ts';
import { fetchRevision, type Fetched } from './git/fetch-revision.ts';
import { ancestry, touchedBetween, type Ancestry } from './git/history.ts';
import { createKeeping } from './git/keeping.ts';
import { mending } from './git/mending.ts';
import { createMirror, type Mirror } from './git/mirror.ts';
import { GitError } from './git/git-error.ts';
import { parseRemote, type Remote } from './git/remote.ts';
import { remoteRefs } from './git/remote-refs.ts';
import { checkCommit, checkRevision, isCommit } from './git/revision.ts';
import { createGitRunner } from './git/run-git.ts';
import { createSharedWork } from './git/shared-work.ts';
import type { NamedObject } from './git/read-tree.ts';
import { openSnapshot, type Reading } from './git/snapshot.ts';
import { withAccess } from './git/with-access.ts';

export { GitError, type GitErrorReason } from './git/git-error.ts';

/**
 * Git repositories as varTrack reads them: a mirror for each URL in a cache directory, and nothing is ever written to a remote.
 * Every method throws {@link GitError}; an aborted signal throws its reason, and what resolving a credential throws passes through.
 * Absence is never reported for a read that failed (I3).
 */
export interface Git {
  /**
   * Asks the remote where its refs stand now: full ref name → commit. Branches, tags (annotated ones peeled to their commit), and pull requests
   * (`refs/pull/N/head`, `refs/merge-requests/N/head`). No mirror is needed or made.
   */
  heads(repository: Repository, signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
  /**
   * Brings a full ref name (`refs/heads/main`) or a commit (40 hex digits) with its whole history into the mirror, and says which commit the
   * remote has there now (I7). Callers that wait for the same ref share one fetch which began after each of them asked. A commit that the mirror
   * has already needs no network. `not-found` when the remote has no such repository or ref.
   */
  fetch(repository: Repository, revision: string, signal: AbortSignal): Promise<{ readonly commit: string }>;
  /** The tree of a commit, which is fetched if the mirror lacks it; `not-found` when the remote does not have it either. */
  open(repository: Repository, commit: string, signal?: AbortSignal): Promise<Snapshot>;
  /** Whether `ancestor` is `descendant` or one of its ancestors. A commit that the mirror does not have is `unknown`: fetch it, or ask the remote. */
  isAncestor(repository: Repository, ancestor: string, descendant: string, signal?: AbortSignal): Promise<'yes' | 'no' | 'unknown'>;
  /**
   * Whether a commit after `from`, up to `to`, touched one of the paths. A pattern is a path from the root, or a glob (`**` crosses slashes).
   * True when it cannot be told: `from` is not in the mirror (force push, rebuilt mirror) or not an ancestor of `to`.
   */
  touched(repository: Repository, from: string, to: string, patterns: readonly string[], signal?: AbortSignal): Promise<boolean>;
  /** Ends what still runs. */
  close(): Promise<void>;
}

/** The files of one commit. */
export interface Snapshot {
  readonly commit: string;
  /** Every entry that is not a directory, in Git's order. */
  list(signal?: AbortSignal): Promise<readonly TreeEntry[]>;
  /**
   * The content of the files; a path that the commit does not have is absent from the map.
   * Throws `InvalidInput` with a problem for each symbolic link, submodule, directory, LFS pointer and file over the limit.
   */
  read(paths: readonly string[], signal?: AbortSignal): Promise<ReadonlyMap<string, Uint8Array>>;
}

export interface TreeEntry {
  readonly path: string;
  readonly kind: 'file' | 'symlink' | 'submodule';
  /** Git's mode: `100644`, `100755`, `120000`, `160000`. */
  readonly mode: string;
  readonly object: string;
}

export interface GitLimits {
  /** One file of {@link Snapshot.read}, and all files of one call. */
  readonly maxFileBytes: number;
  readonly maxReadBytes: number;
  /** Entries of one tree. */
  readonly maxEntries: number;
  /** Bytes that a mirror may hold on disk, and that one fetch may bring. */
  readonly maxMirrorBytes: number;
  /** A whole fetch, and every other command. */
  readonly fetchTimeoutMs: number;
  readonly commandTimeoutMs: number;
}

export interface GitOptions {
  /** Mirrors are kept here; several processes may share it. */
  readonly cacheDirectory: string;
  readonly resolve: ResolveCredential;
  /** `file://` URLs and plain paths. */
  readonly allowFileRepositories: boolean;
  readonly limits?: Partial<GitLimits>;
  /** Told what a person may want to know, such as a mirror that was rebuilt; never holds a credential. */
  readonly log?: (message: string) => void;
}

const DEFAULT_LIMITS: GitLimits = {
  maxFileBytes: 4 * 1024 ** 2,
  maxReadBytes: 64 * 1024 ** 2,
  maxEntries: 200_000,
  maxMirrorBytes: 2 * 1024 ** 3,
  fetchTimeoutMs: 300_000,
  commandTimeoutMs: 60_000,
};
// Each fetch brings one pack; git reads slower the more there are.
const MANY_PACKS = 50;
const COMMITS_REMEMBERED = 10_000;
const TIPS_REMEMBERED = 1_000;
/** Entries of trees. A commit mostly changes a few of a repository's. */
const ENTRIES_REMEMBERED = 100_000;

export function createGit({ cacheDirectory, resolve, allowFileRepositories, limits: given, log = () => undefined }: GitOptions): Git {
  const limits = { ...DEFAULT_LIMITS, ...given };
  const cache = path.resolve(cacheDirectory);
  const runner = createGitRunner();
  const access = createAccess(resolve);
  const fetches = createSharedWork<string>();
  const queues = new Map<string, LimitFunction>();
  const keeping = createKeeping((mirror, act) => queueOf(mirror)(act));
  /** Commits that were in a mirror. They mostly still are: a read then asks only when it finds that they are not. */
  const seen = new LRUCache<string, true>({ max: COMMITS_REMEMBERED });

  /** Where a ref stood when it was last fetched. */
  const tips = new LRUCache<string, string>({ max: TIPS_REMEMBERED });
  /** How two commits stand to each other never changes once it is known. */
  const ancestries = new LRUCache<string, Ancestry>({ max: COMMITS_REMEMBERED });

  const trees = new LRUCache<string, readonly NamedObject[]>({ maxSize: ENTRIES_REMEMBERED, sizeCalculation: (entries) => 1 + entries.length });

  const remoteOf = (repository: Repository): Remote => parseRemote(repository, allowFileRepositories);
  const mirrorOf = (remote: Remote): Mirror => createMirror(path.join(cache, remote.mirrorName), remote.url, runner, limits.commandTimeoutMs);
  /** What changes a mirror goes one after the other within this process. */
  function queueOf(mirror: Mirror): LimitFunction {
    const queue = queues.get(mirror.directory) ?? pLimit(1);
    queues.set(mirror.directory, queue);
    return queue;
  }

  async function fetchOnce(repository: Repository, revision: string, signal: AbortSignal, started: () => void): Promise<string> {
    const remote = remoteOf(repository);
    const mirror = mirrorOf(remote);
    const request = { remote, mirror, revision, timeoutMs: limits.fetchTimeoutMs, maxMirrorBytes: limits.maxMirrorBytes, signal, started };
    const attempt = async (): Promise<Fetched> =>
      withAccess(access, repository, remote, async (opened) => fetchRevision(runner, { ...request, access: opened }));
    const { commit, ref, packs } = await mending(mirror, log, attempt, attempt);
    keeping.keep({ mirror, commit, ref });
    if (packs > MANY_PACKS) void queueOf(mirror)(() => tidy(mirror));
    return commit;
  }

  async function tidy(mirror: Mirror): Promise<void> {
    const exit = await mirror.git(['gc', '--quiet'], { signal: undefined, timeoutMs: limits.fetchTimeoutMs }).catch(() => null);
    if (exit && exit.code !== 0) log(`could not tidy ${mirror.directory}: ${exit.stderr.slice(0, 200)}`);
  }

  async function isAncestor(mirror: Mirror, ancestor: string, descendant: string, signal?: AbortSignal): Promise<Ancestry> {
    const key = `${keyOf(mirror, ancestor)} ${descendant}`;
    const known = ancestries.get(key);
    if (known) return known;
    const ask = (): Promise<Ancestry> => ancestry(mirror, checkCommit(ancestor), checkCommit(descendant), signal);
    const answer = await mending(mirror, log, ask, ask);
    if (answer !== 'unknown') ancestries.set(key, answer);
    return answer;
  }

  /** A write asks next how the new head stands to the one before: beside the reading of the files, that costs it no time. */
  function anticipate(mirror: Mirror, revision: string, commit: string): void {
    const before = tips.get(keyOf(mirror, revision));
    tips.set(keyOf(mirror, revision), commit);
    // Who needs the answer asks again where this fails.
    if (before !== undefined && before !== commit) void isAncestor(mirror, before, commit).catch(() => undefined);
  }

  /** Reads a commit; where the mirror lacks it (another machine's, or made anew meanwhile) fetches it first. */
  function readingOf(repository: Repository, mirror: Mirror, commit: string): Reading {
    return async (use, signal) => {
      if (seen.has(keyOf(mirror, commit))) {
        try {
          return await use();
        } catch (error) {
          // What is wrong with the mirror, the careful way finds out.
          if (!isOfMirror(error)) throw error;
        }
      }
      const obtain = (): Promise<unknown> => fetch(repository, commit, signal ?? new AbortController().signal);
      await obtain();
      const again = (): ReturnType<typeof use> => obtain().then(use);
      return mending(mirror, log, use, again);
    };
  }

  async function fetch(repository: Repository, revision: string, signal: AbortSignal): Promise<{ readonly commit: string }> {
    checkRevision(revision);
    const remote = remoteOf(repository);
    const mirror = mirrorOf(remote);
    const has = async (): Promise<boolean> => (await mirror.has([revision], signal)).has(revision);
    if (isCommit(revision) && (await mending(mirror, log, has, has))) {
      seen.set(keyOf(mirror, revision), true);
      return { commit: revision };
    }
    const commit = await fetches.join(`${remote.mirrorName} ${revision}`, signal, (shared, started) =>
      queueOf(mirror)(() => fetchOnce(repository, revision, shared, started)),
    );
    seen.set(keyOf(mirror, commit), true);
    anticipate(mirror, revision, commit);
    return { commit };
  }

  return {
    fetch,
    heads: async (repository, signal) => {
      const remote = remoteOf(repository);
      return withAccess(access, repository, remote, async (opened) => remoteRefs(runner, remote, opened, limits.commandTimeoutMs, signal));
    },
    open: async (repository, commit, signal) => {
      const mirror = mirrorOf(remoteOf(repository));
      return openSnapshot({ mirror, commit: checkCommit(commit), limits, trees, reading: readingOf(repository, mirror, commit) }, signal);
    },
    isAncestor: async (repository, ancestor, descendant, signal) => isAncestor(mirrorOf(remoteOf(repository)), ancestor, descendant, signal),
    touched: async (repository, from, to, patterns, signal) => {
      const mirror = mirrorOf(remoteOf(repository));
      const ask = (): Promise<boolean> => touchedBetween(mirror, checkCommit(from), checkCommit(to), patterns, signal);
      return mending(mirror, log, ask, ask);
    },
    close: async () => {
      await keeping.close();
      await runner.close();
      await access.close();
    },
  };
}

function keyOf(mirror: Mirror, commit: string): string {
  return `${mirror.directory} ${commit}`;
}

function isOfMirror(error: unknown): boolean {
  return error instanceof GitError && error.reason !== 'rejected';
}
