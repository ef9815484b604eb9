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
      // The credentials are names. Whoever may not see a repository must not see it with the answer that another one got.
      const key = JSON.stringify([repository.url, repository.provider, repository.credentials]);
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
  };
}
