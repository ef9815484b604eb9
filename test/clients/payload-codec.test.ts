import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Payload } from '@temporalio/common';
import { createPayloadCodec } from '../../clients/payload-codec.ts';

const payload: Payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"cache acme:production"') };

describe('the payload codec', () => {
  it('gives back what it was given, and shows nothing of it in between', async () => {
    const codec = createPayloadCodec(randomBytes(32));
    const [sealed] = await codec.encode([payload]);
    const seen = Buffer.concat([Buffer.from(sealed?.data ?? []), ...Object.values(sealed?.metadata ?? {}).map((part) => Buffer.from(part))]).toString('latin1');
    expect(seen).not.toContain('acme');
    expect(seen).not.toContain('json/plain');
    const [opened] = await codec.decode(sealed ? [sealed] : []);
    expect(Buffer.from(opened?.data ?? []).toString()).toBe('"cache acme:production"');
    expect(Buffer.from(opened?.metadata?.['encoding'] ?? []).toString()).toBe('json/plain');
  });

  it('never seals the same twice alike', async () => {
    const codec = createPayloadCodec(randomBytes(32));
    const [a, b] = await codec.encode([payload, payload]);
    expect(Buffer.from(a?.data ?? [])).not.toEqual(Buffer.from(b?.data ?? []));
  });

  it('lets payloads of before the encryption through', async () => {
    expect(await createPayloadCodec(randomBytes(32)).decode([payload])).toEqual([payload]);
  });

  it('says which key is missing when another one was used, and refuses what was tampered with', async () => {
    const codec = createPayloadCodec(randomBytes(32));
    const sealed = await codec.encode([payload]);
    await expect(async () => createPayloadCodec(randomBytes(32)).decode(sealed)).rejects.toThrow(/was encrypted with key [0-9a-f]{12}/);
    const data = Buffer.from(sealed[0]?.data ?? []);
    data[20] = (data[20] ?? 0) ^ 1;
    await expect(async () => codec.decode([{ ...sealed[0], data }])).rejects.toThrow(/authenticate/);
  });

  it('takes no key of another length', () => {
    expect(() => createPayloadCodec(randomBytes(16))).toThrow(/16 bytes instead of 32.*openssl rand -base64 32/);
  });
});
