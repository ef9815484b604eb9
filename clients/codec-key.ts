import { createHash, randomBytes } from 'node:crypto';
import { splitCodecKeys } from '../schemas/codec-keys.ts';

/** A key of payloads. The id is a hash of it: it may be shown, and is in the metadata of every payload. */
export interface CodecKey {
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** The keys of `VARTRACK_CODEC_KEY`, in its order. */
export function parseCodecKeys(text: string): readonly CodecKey[] {
  return splitCodecKeys(text).map((key) => toCodecKey(Buffer.from(key, 'base64')));
}

export function toCodecKey(bytes: Uint8Array): CodecKey {
  return { id: createHash('sha256').update(bytes).digest('hex').slice(0, 12), bytes };
}

/** A new key as `VARTRACK_CODEC_KEY` takes it. */
export function makeCodecKey(): string {
  return randomBytes(32).toString('base64');
}
