import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { AppDependencies } from '../../api/app.ts';
import { toCodecKey } from '../../clients/codec-key.ts';
import { createPayloadCodec } from '../../clients/payload-codec.ts';
import { startApiUnderTest, type ApiUnderTest } from './api-under-test.ts';

const TOKEN = 'canary-token-0123456789-0123456789';
const UI = 'https://temporal.example';
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };
const [key, older] = [toCodecKey(randomBytes(32)), toCodecKey(randomBytes(32))];
const codec = createPayloadCodec([key, older]);
const plain = { metadata: { encoding: base64('json/plain') }, data: base64('{"tenant":"acme"}') };

let api: ApiUnderTest;
afterEach(async () => {
  await api.server.drain(0);
});

async function start(overrides?: Partial<AppDependencies>): Promise<void> {
  api = await startApiUnderTest({ codec: { codec, token: TOKEN, origin: UI }, ...overrides });
}

describe('/codec', () => {
  it('is not there unless it is configured', async () => {
    api = await startApiUnderTest();
    expect((await ask('decode', { payloads: [] }, AUTHORIZED)).status).toBe(404);
  });

  it('decodes what it has encoded, and leaves alone what is not encrypted', async () => {
    await start();
    const sealed = await ask('encode', { payloads: [plain, plain] }, AUTHORIZED);
    expect(sealed.status).toBe(200);
    expect(sealed.body['payloads']).toMatchObject([{ metadata: { encoding: base64('binary/encrypted'), 'encryption-key-id': base64(key.id) } }, {}]);
    expect(JSON.stringify(sealed.body)).not.toContain(plain.data);
    const opened = await ask('decode', { payloads: [...(sealed.body['payloads'] as unknown[]), plain] }, AUTHORIZED);
    expect(opened).toMatchObject({ status: 200, body: { payloads: [plain, plain, plain] } });
  });

  it('decodes payloads of older keys and of any workflow, and tells nobody to keep them', async () => {
    await start();
    const [sealed] = await createPayloadCodec([older]).encode([bytesOf(plain)], { type: 'workflow', namespace: 'default', workflowId: 'drift/acme' });
    const opened = await ask(
      'decode',
      { payloads: [jsonOf(sealed)] },
      { ...AUTHORIZED, 'x-namespace': 'default', 'content-type': 'application/json; charset=utf-8' },
    );
    expect(opened.body).toEqual({ payloads: [plain] });
    expect(opened.headers.get('cache-control')).toBe('no-store');
    expect(api.lines()).toMatchObject([{ msg: 'codec', operation: 'decode', payloads: 1, namespace: 'default' }]);
  });

  it.each([
    ['no token', {}, 'send the token of VARTRACK_CODEC_TOKEN'],
    ['another token', { authorization: 'Bearer canary-token-of-somebody-else-012345' }, 'this is not the token'],
    ['another scheme', { authorization: `Basic ${TOKEN}` }, 'send the token'],
  ])('refuses %s before it reads the body, and repeats nothing of it', async (_what, headers, why) => {
    await start();
    const refused = await ask('decode', '{ not even JSON', headers);
    expect(refused).toMatchObject({ status: 401, body: { status: 'unauthorized', why: expect.stringContaining(why) as string } });
    expect(refused.headers.get('www-authenticate')).toContain('Bearer');
    expect(JSON.stringify(refused.body) + api.logText()).not.toContain('canary');
  });

  it('throttles an address that guesses', async () => {
    await start({ limits: { refusedPerAddress: 2, perRepository: 10 } });
    const statuses: number[] = [];
    for (let guess = 0; guess < 4; guess++) statuses.push((await ask('decode', { payloads: [] }, { authorization: `Bearer guess-${guess}` })).status);
    expect(statuses).toEqual([401, 401, 429, 429]);
  });

  it('says what is wrong with a request, without a byte of it', async () => {
    await start({ codec: { codec, token: TOKEN, maxBodyBytes: 1_000 } });
    const [foreign] = await createPayloadCodec([toCodecKey(randomBytes(32))]).encode([bytesOf(plain)]);
    const cases: [unknown, number, RegExp][] = [
      ['{', 400, /not JSON/],
      [{ payload: [] }, 400, /"payloads".*: payloads: /],
      [{ payloads: [{ data: 'canary!' }] }, 400, /payloads\.0\.data/],
      [{ payloads: [jsonOf(foreign)] }, 400, /was encrypted with key [0-9a-f]{12}, and VARTRACK_CODEC_KEY has/],
      [{ payloads: [{ ...jsonOf(foreign), metadata: { ...jsonOf(foreign).metadata, 'encryption-key-id': base64(key.id) } }] }, 400, /authenticate/],
      [{ payloads: [{ data: base64('x'.repeat(1_000)) }] }, 413, /larger than 1000 bytes/],
    ];
    for (const [body, status, why] of cases) {
      const answer = await ask('decode', body, AUTHORIZED);
      expect(answer).toMatchObject({ status, body: { why: expect.stringMatching(why) as string } });
      expect(JSON.stringify(answer.body)).not.toContain('canary');
    }
    expect((await ask('decode', '', { ...AUTHORIZED, 'content-type': 'text/plain' })).status).toBe(415);
    expect((await fetch(`${api.server.url}/codec/decode`, { headers: AUTHORIZED })).status).toBe(405);
  });
});

describe('a browser that asks /codec', () => {
  it('is allowed for pages of the Temporal UI, also to read why it was refused', async () => {
    await start();
    const wish = { origin: UI, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type,x-namespace' };
    const preflight = await fetch(`${api.server.url}/codec/decode`, { method: 'OPTIONS', headers: wish });
    expect(preflight.status).toBe(204);
    expect(Object.fromEntries(preflight.headers)).toMatchObject({
      'access-control-allow-origin': UI,
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'authorization, authorization-extras, content-type, x-namespace',
      vary: 'Origin',
    });
    const good = await ask('decode', { payloads: [] }, { ...AUTHORIZED, origin: UI });
    const refused = await ask('decode', { payloads: [] }, { origin: UI });
    expect([good, refused].map(({ status, headers }) => [status, headers.get('access-control-allow-origin')])).toEqual([
      [200, UI],
      [401, UI],
    ]);
  });

  it.each([
    ['of another origin', UI, 'https://evil.example'],
    ['of an origin that begins alike', UI, `${UI}.evil.example`],
    ['of no origin that it tells', UI, 'null'],
    ['of any origin where no UI is configured', undefined, UI],
  ])('is refused for pages %s, even with the token', async (_which, allowed, origin) => {
    await start({ codec: { codec, token: TOKEN, ...(allowed !== undefined && { origin: allowed }) } });
    const answers = [
      await fetch(`${api.server.url}/codec/decode`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } }),
      await ask('decode', { payloads: [] }, { ...AUTHORIZED, origin }),
    ];
    expect(answers.map(({ status, headers }) => [status, headers.get('access-control-allow-origin')])).toEqual([
      [403, null],
      [403, null],
    ]);
  });
});

async function ask(operation: string, body: unknown, headers: Readonly<Record<string, string>>) {
  const response = await fetch(`${api.server.url}/codec/${operation}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, unknown> };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function bytesOf({ metadata, data }: typeof plain) {
  return { metadata: { encoding: Buffer.from(metadata.encoding, 'base64') }, data: Buffer.from(data, 'base64') };
}

function jsonOf(payload: ReturnType<typeof bytesOf> | Awaited<ReturnType<typeof codec.encode>>[number] | undefined) {
  const metadata = Object.fromEntries(Object.entries(payload?.metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]));
  return { metadata, data: Buffer.from(payload?.data ?? []).toString('base64') };
}
