import { createHash } from 'node:crypto';
import type { Ledger } from '../../domain/ledger.ts';
import { SinkError } from '../errors.ts';
import type { Address, ConfigMaps } from './config-maps.ts';
import { digestOf, type Content } from './content.ts';

/**
 * Makes Deployments start pods that read the new values, by an annotation of their pod template. Pods take environment variables from a ConfigMap
 * only when they start.
 */
export interface Rollout {
  /** Throws `rejected` where a Deployment is not there: before a write, so that nothing has changed. */
  check(signal: AbortSignal): Promise<void>;
  /** Null takes the annotation away. Deployments that have it so already are left alone, and so are those that are gone. */
  run(digest: string | null, signal: AbortSignal): Promise<void>;
}

export function createRollout(maps: ConfigMaps, namespace: string, deployments: readonly string[], annotation: string): Rollout {
  const addresses = [...new Set(deployments)].map((name): Address => ({ namespace, name }));
  return {
    check: async (signal) => {
      for (const at of addresses) {
        if ((await maps.podAnnotations(at, signal)) === null)
          throw new SinkError('rejected', `deployment ${at.namespace}/${at.name}: it is named in rollout and does not exist; make it, or correct rollout`);
      }
    },
    run: async (digest, signal) => {
      for (const at of addresses) {
        const annotations = await maps.podAnnotations(at, signal);
        if (annotations === null || (annotations[annotation] ?? null) === digest) continue;
        try {
          await maps.annotatePods(at, { [annotation]: digest }, signal);
        } catch (error) {
          if (!(error instanceof SinkError)) throw error;
          const reason = error.reason === 'conflict' ? 'unavailable' : error.reason;
          const wait = error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs };
          throw new SinkError(reason, `the values are written, and the rollout is not begun: ${error.message}`, wait);
        }
      }
    },
  };
}

/** Of the values that the ledger owns; null where it owns none. */
export function ownedDigest(ledger: Ledger, file: string | null, content: Content): string | null {
  const keys = Object.keys(ledger.keys);
  if (keys.length === 0) return null;
  const owned = file === null ? keys : [file];
  const lines = owned.toSorted().map((key) => JSON.stringify([key, digestOf(content.get(key))]));
  return createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 32);
}
