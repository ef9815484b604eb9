import { SinkError } from '../errors.ts';
import type { Address, Objects } from './objects.ts';

/** Of no object: an MD5 of nothing that is written. */
const NO_ETAG = `"${'0'.repeat(32)}"`;

/**
 * Makes sure, once a bucket, that conditional writes are refused. A server that does not know them ignores the condition: every safeguard of the
 * sink would be gone without a sign. `probe` is the address of an object that is never there.
 */
export function createConditionsCheck(objects: Objects): (probe: Address, signal: AbortSignal) => Promise<void> {
  const checked = new Map<string, Promise<void>>();

  async function check(at: Address, signal: AbortSignal): Promise<void> {
    let etag: string;
    try {
      etag = await objects.put(at, NO_ETAG, Buffer.from('{}'), { ContentType: 'application/json' }, signal);
    } catch (error) {
      if (error instanceof SinkError && error.reason === 'conflict') return;
      throw error;
    }
    await objects.delete(at, etag, signal);
    throw new SinkError('unsupported', `s3 ${at.bucket}: the server writes although the condition (If-Match) does not hold, so nothing can be written safely`);
  }

  return async (probe, signal) => {
    const known = checked.get(probe.bucket) ?? check(probe, signal);
    checked.set(probe.bucket, known);
    await known.catch((error: unknown) => {
      checked.delete(probe.bucket);
      throw error;
    });
  };
}
