import { LRUCache } from 'lru-cache';
import type { Git } from '../clients/git.ts';
import { createSharedWork } from '../clients/git/shared-work.ts';
import type { Repository } from '../domain/bundle.ts';

/** Where the refs of a remote stood when it was last asked. */
export interface Heads {
  /** Commit by full ref name. */
  readonly refs: ReadonlyMap<string, string>;
  /** Of `Date.now`, when the question was asked. */
  readonly at: number;
  /** Why there is no newer answer. */
  readonly problem?: string;
}

/** The refs of remotes, asked once for all who want to know at the same time, and remembered by the process. */
export interface StreamHeads {
  /**
   * An answer that is no older than `maxAgeMs`; when the remote does not give one (soon), the last one that it gave, with the `problem`. One that failed is
   * left alone for `restMs`, half a minute unless given, by those whom an older answer serves as well. Throws what {@link Git.heads} throws where there was none.
   */
  get(repository: Repository, maxAgeMs: number, signal: AbortSignal, restMs?: number): Promise<Heads>;
  /** The remote has this ref at this commit now: somebody has just fetched it. */
  saw(repository: Repository, ref: string, commit: string): void;
}

/** The same Git, whose fetches of refs are seen by `heads`: what a run has just written is known to the next check. */
export function noteFetches(git: Git, heads: Pick<StreamHeads, 'saw'>): Git {
  return {
    ...git,
    async fetch(repository, revision, signal) {
      const fetched = await git.fetch(repository, revision, signal);
      if (revision.startsWith('refs/')) heads.saw(repository, revision, fetched.commit);
      return fetched;
    },
  };
}

/** Refs of all remotes. */
const REFS_KEPT = 500_000;
/** Who has an older answer waits no longer for a new one. */
const PATIENCE_MS = 10_000;
const REST_MS = 30_000;

export function createStreamHeads(git: Pick<Git, 'heads'>, now: () => number = Date.now): StreamHeads {
  const known = new LRUCache<string, Heads>({ maxSize: REFS_KEPT, sizeCalculation: ({ refs }) => 1 + refs.size });
  const failed = new LRUCache<string, { readonly at: number; readonly problem: string }>({ max: 1_000 });
  const asking = createSharedWork<Heads>();

  return {
    async get(repository, maxAgeMs, signal, restMs = REST_MS) {
      const key = keyOf(repository);
      const last = known.get(key);
      if (last && now() - last.at <= maxAgeMs) return last;
      const failure = failed.get(key);
      if (last && failure && maxAgeMs > 0 && now() - failure.at <= restMs) return { ...last, problem: failure.problem };
      const patience = last ? AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]) : signal;
      try {
        return await asking.join(key, patience, async (shared) => {
          const at = now();
          const heads: Heads = { refs: await git.heads(repository, shared), at };
          known.set(key, heads);
          failed.delete(key);
          return heads;
        });
      } catch (error) {
        if (signal.aborted) throw error;
        const problem = patience.aborted ? `the remote did not answer within ${PATIENCE_MS / 1_000} s` : String(error instanceof Error ? error.message : error);
        failed.set(key, { at: now(), problem });
        if (!last) throw error;
        return { ...last, problem };
      }
    },
    saw(repository, ref, commit) {
      const key = keyOf(repository);
      const last = known.get(key);
      if (last && last.refs.get(ref) !== commit) known.set(key, { ...last, refs: new Map(last.refs).set(ref, commit) });
    },
  };
}

/** The credentials are names. Whoever may not see a repository must not see it with the answer that another one got. */
function keyOf({ url, provider, credentials }: Repository): string {
  return JSON.stringify([url, provider, credentials]);
}
