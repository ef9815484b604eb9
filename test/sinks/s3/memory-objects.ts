import { createHash } from 'node:crypto';
import { SinkError } from '../../../sinks/errors.ts';
import type { Address, Attributes, Objects } from '../../../sinks/s3/objects.ts';

export interface MemoryObjects extends Objects {
  readonly stored: Map<string, { readonly body: Buffer; readonly attributes: Attributes }>;
  /** Runs before every write is looked at: what the write waits for, or what happens in between. */
  beforeWrite: (at: Address) => Promise<void>;
  /** A server that does not know conditional writes. */
  ignoresConditions: boolean;
}

/** S3 in memory: as on the real one, equal bodies have equal ETags. */
export function createMemoryObjects(): MemoryObjects {
  const stored: MemoryObjects['stored'] = new Map();
  const keyOf = ({ bucket, key }: Address): string => `${bucket}/${key}`;
  const etagOf = (at: Address): string | null => {
    const found = stored.get(keyOf(at));
    return found ? `"${createHash('md5').update(found.body).digest('hex')}"` : null;
  };
  async function admit(at: Address, expected: string | null): Promise<void> {
    await memory.beforeWrite(at);
    if (!memory.ignoresConditions && etagOf(at) !== expected) throw new SinkError('conflict', `${keyOf(at)}: it changed since it was read`);
  }
  const memory: MemoryObjects = {
    stored,
    beforeWrite: async () => undefined,
    ignoresConditions: false,
    get: async (at) => {
      const found = stored.get(keyOf(at));
      return found ? { ...found, etag: etagOf(at) ?? '' } : null;
    },
    etag: async (at) => etagOf(at),
    put: async (at, expected, body, attributes) => {
      await admit(at, expected);
      stored.set(keyOf(at), { body, attributes });
      return etagOf(at) ?? '';
    },
    delete: async (at, expected) => {
      await admit(at, expected);
      stored.delete(keyOf(at));
    },
    close: async () => undefined,
  };
  return memory;
}
