import { LRUCache } from 'lru-cache';
import type { Git } from '../clients/git.ts';
import type { Bundle } from '../domain/bundle.ts';
import type { CheckStatus } from '../domain/drift.ts';
import { createStreamHeads, type StreamHeads } from './stream-heads.ts';

/** What a process knows from the checks of before. Losing it costs time and nothing else. */
export interface CheckMemory {
  readonly heads: StreamHeads;
  /** By the tenant and the id of the target; of this very bundle, since another one may ask for something else. */
  of(bundle: Bundle): Targets;
}

export interface Targets {
  get(key: string): RememberedTarget | undefined;
  set(key: string, target: RememberedTarget): void;
}

/** A place at which nothing was to do. */
export interface RememberedTarget {
  /** Of everything that made it so: the whole of what was read, with the ledger. Null: something was to do. */
  readonly digest: string | null;
  readonly status: Extract<CheckStatus, 'InSync' | 'Unverifiable'>;
  readonly secrets: readonly SecretPath[];
}

/** A secret whose newest version a target holds. */
export interface SecretPath {
  readonly manager: string;
  readonly path: string;
  readonly field: string;
}

const TARGETS_KEPT = 50_000;

export function createCheckMemory(git: Pick<Git, 'heads'>): CheckMemory {
  const bundles = new WeakMap<Bundle, LRUCache<string, RememberedTarget>>();
  return {
    heads: createStreamHeads(git),
    of(bundle) {
      const known = bundles.get(bundle) ?? new LRUCache<string, RememberedTarget>({ max: TARGETS_KEPT });
      bundles.set(bundle, known);
      return known;
    },
  };
}
