import { createHmac } from 'node:crypto';
import type { Fingerprint } from '../domain/ledger.ts';

/**
 * HMAC-SHA-256, cut to 128 bits, base64url. Without a key of the bundle it still tells equal from different, but a short value could be guessed
 * from it; the bundle's check asks for a key as soon as there are secrets.
 */
export function createFingerprint(key: string | undefined): Fingerprint {
  return (text) =>
    createHmac('sha256', key ?? 'vartrack')
      .update(text)
      .digest()
      .subarray(0, 16)
      .toString('base64url');
}
