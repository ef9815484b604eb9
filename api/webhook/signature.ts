import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** Compares without telling by its duration how much is equal, nor how long the right text is. */
export function equalInConstantTime(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b));
}

/** Whether `signature` is `prefix` and the hex HMAC-SHA256 of `body`. A missing signature never is. */
export function isSignedHex(signature: string | null, prefix: string, secret: string, body: Buffer): boolean {
  if (signature === null || secret === '') return false;
  return equalInConstantTime(signature.toLowerCase(), prefix + createHmac('sha256', secret).update(body).digest('hex'));
}

const TOLERANCE_SECONDS = 300;

export interface StandardWebhook {
  readonly id: string | null;
  readonly timestamp: string | null;
  readonly signature: string | null;
}

/**
 * Standard Webhooks: the key is the base64 text after `whsec_`, the signed text `id.timestamp.body`, and the header a list of `v1,<base64>`
 * (several while a key is rotated). The timestamp is signed, so an old capture cannot be sent again after five minutes.
 */
export function isStandardWebhook(webhook: StandardWebhook, secret: string, body: Buffer, nowMs: number): boolean {
  const { id, timestamp, signature } = webhook;
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  if (id === null || timestamp === null || signature === null || key.length === 0) return false;
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(nowMs / 1000 - Number(timestamp)) > TOLERANCE_SECONDS) return false;
  const expected = `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
  let matches = false;
  for (const candidate of signature.split(' ').slice(0, 10)) matches = equalInConstantTime(candidate, expected) || matches;
  return matches;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
