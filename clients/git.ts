import type { Repository } from '../domain/bundle.ts';
import type { ResolveCredential } from '../sinks/sink.ts';
import { GitError } from './git/git-error.ts';

export { GitError, type GitErrorReason } from './git/git-error.ts';

/**
 * Git repositories as varTrack reads them: a mirror for each URL in a cache directory, and nothing is ever written to a remote.
 * Every method throws {@link GitError}; an aborted signal throws its reason. Absence is never reported for a read that failed (I3).
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
  /** The tree of a commit that was fetched; `not-found` when the mirror does not have it (fetch it first). */
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
   * The content of the files, all by one git process; a path that the commit does not have is absent from the map.
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
  /** Bytes; 0 for a submodule. */
  readonly size: number;
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

export function createGit(_options: GitOptions): Git {
  throw new GitError('unavailable', 'the Git client is not finished');
}
