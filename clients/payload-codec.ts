import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { METADATA_ENCODING_KEY, ValueError, type Payload, type PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import type { CodecKey } from './codec-key.ts';

const ENCODING = 'binary/encrypted';
const KEY_ID = 'encryption-key-id';
const BOUND_TO = 'encryption-bound-to';
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NOT_ENCRYPTED =
  'a payload is not encrypted, and VARTRACK_REQUIRE_ENCRYPTION is true: it is from before there was a key, or somebody without it wrote to Temporal; terminate that run';

/** Whether payloads that nobody with a key has written are believed. */
export type PlainPayloads = 'taken' | 'refused';

/**
 * Encrypts every payload with AES-256-GCM (a fresh nonce each), so that the Temporal store holds no readable input, result or memo. The first key
 * encrypts, each decrypts what names it. The workflow id is authenticated with the payload and written beside it: where the SDK says which workflow
 * a payload is read for, one that belongs to another is refused; the Temporal UI, which does not say, can still decrypt.
 * What was written before encryption was switched on is passed through unless `plain` says otherwise, and what was bound to no workflow (the format
 * before) is decrypted.
 */
export function createPayloadCodec(keys: readonly CodecKey[], plain: PlainPayloads = 'taken'): PayloadCodec {
  const [newest] = keys;
  if (newest === undefined) throw new ValueError('there is no codec key; make one with: vartrack codec key');
  for (const { bytes } of keys) {
    if (bytes.length !== 32) throw new ValueError(`the codec key has ${bytes.length} bytes instead of 32; make one with: vartrack codec key`);
  }
  const keyOf = new Map(keys.map((key) => [key.id, key]));
  const known = [...keyOf.keys()].join(', ');

  function encrypt(payload: Payload, workflowId: string | undefined, { id, bytes }: CodecKey): Payload {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, bytes, nonce, { authTagLength: TAG_BYTES });
    if (workflowId !== undefined) cipher.setAAD(boundTo(id, workflowId));
    const sealed = Buffer.concat([nonce, cipher.update(proto.temporal.api.common.v1.Payload.encode(payload).finish()), cipher.final(), cipher.getAuthTag()]);
    const metadata = {
      [METADATA_ENCODING_KEY]: Buffer.from(ENCODING),
      [KEY_ID]: Buffer.from(id),
      ...(workflowId !== undefined && { [BOUND_TO]: Buffer.from(workflowId) }),
    };
    return { metadata, data: sealed };
  }

  function decrypt(payload: Payload, workflowId: string | undefined): Payload {
    const keyId = codecKeyIdOf(payload);
    if (keyId === undefined) {
      if (plain === 'refused') throw new ValueError(NOT_ENCRYPTED);
      return payload;
    }
    const key = keyOf.get(keyId);
    if (!key) throw new ValueError(`a payload was encrypted with key ${keyId}, and VARTRACK_CODEC_KEY has ${known}`);
    const owner = textOf(payload, BOUND_TO);
    if (owner !== undefined && workflowId !== undefined && owner !== workflowId) {
      throw new ValueError(`a payload of workflow ${owner} was found in workflow ${workflowId}: somebody who can write to Temporal has put it there`);
    }
    const data = payload.data ?? new Uint8Array();
    if (data.length < NONCE_BYTES + TAG_BYTES) throw new ValueError(`a payload of key ${keyId} is cut off: it has ${data.length} bytes`);
    const decipher = createDecipheriv(CIPHER, key.bytes, data.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    if (owner !== undefined) decipher.setAAD(boundTo(keyId, owner));
    decipher.setAuthTag(data.subarray(data.length - TAG_BYTES));
    const opened = Buffer.concat([decipher.update(data.subarray(NONCE_BYTES, data.length - TAG_BYTES)), decipher.final()]);
    return proto.temporal.api.common.v1.Payload.decode(opened);
  }

  return {
    encode: (payloads, context) => Promise.resolve(payloads.map((payload) => encrypt(payload, context?.workflowId, newest))),
    // Not in the executor of a promise: what it throws must reject.
    decode: async (payloads, context) => payloads.map((payload) => decrypt(payload, context?.workflowId)),
  };
}

/** The id of the key that a payload is encrypted with; undefined for one that is not. */
export function codecKeyIdOf(payload: Payload): string | undefined {
  return textOf(payload, METADATA_ENCODING_KEY) === ENCODING ? (textOf(payload, KEY_ID) ?? '') : undefined;
}

function textOf({ metadata }: Payload, name: string): string | undefined {
  const value = metadata?.[name];
  return value ? Buffer.from(value).toString() : undefined;
}

/** Key ids are hexadecimal, so that no id and name run into each other. */
function boundTo(keyId: string, workflowId: string): Buffer {
  return Buffer.from(`vartrack payload\n${keyId}\n${workflowId}`);
}
