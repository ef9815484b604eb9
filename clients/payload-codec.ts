import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { METADATA_ENCODING_KEY, ValueError, type Payload, type PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';

const ENCODING = 'binary/encrypted';
const KEY_ID = 'encryption-key-id';
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts every payload with AES-256-GCM (a fresh nonce each), so that the Temporal store holds no readable input, result or memo.
 * `key` is 32 bytes. A payload that was written before encryption was switched on is passed through.
 */
export function createPayloadCodec(key: Uint8Array): PayloadCodec {
  if (key.length !== 32) throw new ValueError(`the codec key has ${key.length} bytes instead of 32; make one with: openssl rand -base64 32`);
  const keyId = createHash('sha256').update(key).digest('hex').slice(0, 12);

  function encrypt(payload: Payload): Payload {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
    const sealed = Buffer.concat([nonce, cipher.update(proto.temporal.api.common.v1.Payload.encode(payload).finish()), cipher.final(), cipher.getAuthTag()]);
    return { metadata: { [METADATA_ENCODING_KEY]: Buffer.from(ENCODING), [KEY_ID]: Buffer.from(keyId) }, data: sealed };
  }

  function decrypt(payload: Payload): Payload {
    const encoding = payload.metadata?.[METADATA_ENCODING_KEY];
    if (!encoding || Buffer.from(encoding).toString() !== ENCODING) return payload;
    const usedKey = Buffer.from(payload.metadata?.[KEY_ID] ?? []).toString();
    if (usedKey !== keyId) throw new ValueError(`a payload was encrypted with key ${usedKey}, and VARTRACK_CODEC_KEY is key ${keyId}`);
    const data = payload.data ?? new Uint8Array();
    const decipher = createDecipheriv(CIPHER, key, data.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAuthTag(data.subarray(data.length - TAG_BYTES));
    const opened = Buffer.concat([decipher.update(data.subarray(NONCE_BYTES, data.length - TAG_BYTES)), decipher.final()]);
    return proto.temporal.api.common.v1.Payload.decode(opened);
  }

  return {
    encode: (payloads) => Promise.resolve(payloads.map(encrypt)),
    decode: (payloads) => Promise.resolve(payloads.map(decrypt)),
  };
}
