import { createCipheriv, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { toCodecKey, type CodecKey } from '../../clients/codec-key.ts';
import { codecKeyIdOf, createPayloadCodec } from '../../clients/payload-codec.ts';

const payload: Payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"cache acme:production"') };
const [a, b] = [toCodecKey(randomBytes(32)), toCodecKey(randomBytes(32))];
const main = { type: 'workflow', namespace: 'default', workflowId: 'sync/acme/config/main' } as const;
const other = { ...main, workflowId: 'sync/acme/config/develop' };

describe('the payload codec', () => {
  it.each([
    ['for a workflow', main],
    ['without a word of whom it is for', undefined],
  ])('gives back what it was given, and shows nothing of it in between, %s', async (_when, context) => {
    const codec = createPayloadCodec([a]);
    const sealed = await codec.encode([payload], context);
    const seen = sealed.map((each) => [each.data, ...Object.values(each.metadata ?? {})].map((part) => Buffer.from(part ?? []).toString('latin1')).join());
    expect(seen.join()).not.toContain('acme:production');
    expect(seen.join()).not.toContain('json/plain');
    expect(textsOf(await codec.decode(sealed, context))).toEqual(['json/plain "cache acme:production"']);
  });

  it('never seals the same twice alike', async () => {
    const [first, second] = await createPayloadCodec([a]).encode([payload, payload], main);
    expect(Buffer.from(first?.data ?? [])).not.toEqual(Buffer.from(second?.data ?? []));
  });

  it('lets payloads of before the encryption through', async () => {
    expect(await createPayloadCodec([a]).decode([payload], main)).toEqual([payload]);
  });

  it('refuses payloads that are not encrypted where they have to be', async () => {
    const strict = createPayloadCodec([a], 'refused');
    await expect(strict.decode([payload], main)).rejects.toThrow('VARTRACK_REQUIRE_ENCRYPTION');
    await expect(strict.decode([{ data: payload.data ?? null }], main)).rejects.toThrow('is not encrypted');
    expect(textsOf(await strict.decode(await strict.encode([payload], main), main))).toEqual(['json/plain "cache acme:production"']);
  });

  it('says which key is missing when another one was used', async () => {
    const sealed = await createPayloadCodec([a]).encode([payload]);
    await expect(createPayloadCodec([b]).decode(sealed)).rejects.toThrow(`was encrypted with key ${a.id}, and VARTRACK_CODEC_KEY has ${b.id}`);
  });

  it('refuses what was tampered with or cut off', async () => {
    const codec = createPayloadCodec([a]);
    const sealed = await codec.encode([payload], main);
    const data = Buffer.from(sealed[0]?.data ?? []);
    data[20] = (data[20] ?? 0) ^ 1;
    await expect(codec.decode([{ ...sealed[0], data }], main)).rejects.toThrow(/authenticate/);
    await expect(codec.decode([{ ...sealed[0], data: data.subarray(0, 27) }], main)).rejects.toThrow('is cut off: it has 27 bytes');
  });

  it('takes no key of another length, and not none', () => {
    expect(() => createPayloadCodec([{ id: 'x', bytes: randomBytes(16) }])).toThrow(/16 bytes instead of 32.*vartrack codec key/);
    expect(() => createPayloadCodec([])).toThrow('there is no codec key');
  });
});

describe('the payload codec with several keys', () => {
  it('encrypts with the first and decrypts what any of them has encrypted', async () => {
    const old = await createPayloadCodec([a]).encode([payload], main);
    const both = createPayloadCodec([b, a]);
    const fresh = await both.encode([payload], main);
    expect([...old, ...fresh].map(codecKeyIdOf)).toEqual([a.id, b.id]);
    expect(textsOf(await both.decode([...old, ...fresh], main))).toEqual(Array(2).fill('json/plain "cache acme:production"'));
    await expect(createPayloadCodec([b]).decode(old, main)).rejects.toThrow(a.id);
  });

  it('decrypts with no other key than the one that a payload names', async () => {
    const [sealed] = await createPayloadCodec([a]).encode([payload], main);
    const renamed = { ...sealed, metadata: { ...sealed?.metadata, 'encryption-key-id': Buffer.from(b.id) } };
    await expect(createPayloadCodec([b, a]).decode([renamed], main)).rejects.toThrow(/authenticate/);
  });
});

describe('a payload that is bound to its workflow', () => {
  const codec = createPayloadCodec([a]);

  it('is refused in another workflow, naming both', async () => {
    const sealed = await codec.encode([payload], main);
    await expect(codec.decode(sealed, other)).rejects.toThrow(`a payload of workflow ${main.workflowId} was found in workflow ${other.workflowId}`);
  });

  it('is refused there also when what is written beside it was changed or taken away', async () => {
    const [sealed] = await codec.encode([payload], main);
    const { 'encryption-bound-to': _owner, ...unbound } = sealed?.metadata ?? {};
    await expect(codec.decode([{ ...sealed, metadata: unbound }], other)).rejects.toThrow(/authenticate/);
    const renamed = { ...unbound, 'encryption-bound-to': Buffer.from(other.workflowId) };
    await expect(codec.decode([{ ...sealed, metadata: renamed }], other)).rejects.toThrow(/authenticate/);
  });

  it('is decrypted for the activities of its workflow, and for who cannot say for which workflow he asks', async () => {
    const sealed = await codec.encode([payload], { type: 'activity', namespace: 'default', workflowId: main.workflowId, activityId: '1', isLocal: false });
    expect(textsOf(await codec.decode(sealed, main))).toHaveLength(1);
    expect(textsOf(await codec.decode(sealed))).toHaveLength(1);
  });

  it('may be of the format before, which was bound to none', async () => {
    expect(textsOf(await codec.decode([sealedAsBefore(payload, a)], main))).toEqual(['json/plain "cache acme:production"']);
  });
});

/** What the first version of the codec wrote. */
function sealedAsBefore(plain: Payload, { id, bytes }: CodecKey): Payload {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', bytes, nonce);
  const text = Buffer.concat([cipher.update(proto.temporal.api.common.v1.Payload.encode(plain).finish()), cipher.final()]);
  const metadata = { encoding: Buffer.from('binary/encrypted'), 'encryption-key-id': Buffer.from(id) };
  return { metadata, data: Buffer.concat([nonce, text, cipher.getAuthTag()]) };
}

function textsOf(payloads: readonly Payload[]): readonly string[] {
  return payloads.map(({ metadata, data }) => `${Buffer.from(metadata?.['encoding'] ?? []).toString()} ${Buffer.from(data ?? []).toString()}`);
}
