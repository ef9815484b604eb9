import { SinkError } from '../errors.ts';
import { encodeLedgerObject, type LedgerObject } from './ledger-object.ts';
import type { Address, Objects } from './objects.ts';

/** The ledger's object as a lock: who replaced the one that was read may write, until somebody replaces it again. */
export interface Claim {
  readonly etag: () => string | null;
  /** Throws `conflict` if the object is no longer the one that was read or written last. */
  write(content: LedgerObject, signal: AbortSignal): Promise<void>;
  /** Asks whether the claim still holds, if that is not known from a moment ago; throws `conflict` if it does not. */
  prove(signal: AbortSignal): Promise<void>;
  /** Deletes the object; throws `conflict` if it is no longer ours. */
  giveUp(signal: AbortSignal): Promise<void>;
}

// A process that was stopped for longer may have been taken for dead.
const TRUSTED_FOR_MS = 5_000;

export function createClaim(objects: Objects, at: Address, seen: string | null): Claim {
  let etag = seen;
  let knownAt = Date.now();
  let asking: Promise<void> | undefined;

  async function ask(signal: AbortSignal): Promise<void> {
    const askedAt = Date.now();
    if ((await objects.etag(at, signal)) !== etag) throw new SinkError('conflict', `s3 ${at.bucket}/${at.key}: somebody else took the write over`);
    knownAt = askedAt;
  }

  return {
    etag: () => etag,
    write: async (content, signal) => {
      const startedAt = Date.now();
      etag = await objects.put(at, etag, encodeLedgerObject(content), { ContentType: 'application/json' }, signal);
      knownAt = startedAt;
    },
    prove: async (signal) => {
      if (Date.now() - knownAt < TRUSTED_FOR_MS) return;
      asking ??= ask(signal).finally(() => {
        asking = undefined;
      });
      await asking;
    },
    giveUp: async (signal) => {
      if (etag !== null) await objects.delete(at, etag, signal);
    },
  };
}
