import { randomUUID } from 'node:crypto';
import { request, type OutgoingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Provider } from '../../domain/bundle.ts';
import { delivery, fixture, hexHmac, type Delivery } from '../api/signed-delivery.ts';
import { describeWith } from '../servers/describe-with.ts';
import { fuzzRuns } from './fuzz-runs.ts';
import { openHostileStack, type HostileStack } from './hostile-stack.ts';

const SECRET = 'webhook-secret';
/** For each provider events as it sends them. */
const EVENTS: Readonly<Record<Provider, readonly (readonly [event: string, payload: unknown])[]>> = {
  github: [
    ['push', ours('github-push-branch')],
    ['pull_request', ours('github-pull-request-opened')],
    ['ping', ours('github-ping')],
  ],
  gitlab: [
    ['Push Hook', ours('gitlab-push-branch')],
    ['Merge Request Hook', ours('gitlab-merge-request-open')],
  ],
  gitea: [
    ['push', ours('gitea-push-branch')],
    ['pull_request', ours('gitea-pull-request-opened')],
  ],
  forgejo: [
    ['push', ours('forgejo-push-branch')],
    ['pull_request', ours('forgejo-pull-request-opened')],
  ],
  bitbucket: [
    ['repo:push', ours('bitbucket-push-several')],
    ['pullrequest:created', ours('bitbucket-pull-request-open')],
  ],
  generic: [
    ['', ours('generic-push-branch')],
    ['', ours('generic-pull-request')],
  ],
};
const PROVIDERS = Object.keys(EVENTS) as Provider[];
const SIGNATURES = ['x-hub-signature-256', 'x-gitlab-token', 'x-gitea-signature', 'x-forgejo-signature', 'x-hub-signature', 'x-signature'];

/** A payload of the forge, of the repository that the stack has. */
function ours(name: string): unknown {
  const rename = (value: unknown, key: string): unknown => {
    if (['full_name', 'path_with_namespace'].includes(key) || (key === 'repository' && typeof value === 'string')) return 'repository';
    if (Array.isArray(value)) return value.map((item) => rename(item, ''));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, rename(child, name)]));
  };
  return rename(fixture(name), '');
}

function pathsOf(value: unknown): string[][] {
  if (typeof value !== 'object' || value === null) return [[]];
  return [[], ...Object.entries(value).flatMap(([name, child]) => pathsOf(child).map((path) => [name, ...path]))];
}

function replaced(value: unknown, path: readonly string[], by: unknown): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return by;
  if (typeof value !== 'object' || value === null) return value;
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[first] = replaced(copy[first], rest, by);
  return copy;
}

const junk = fc.oneof(
  fc.constantFrom<unknown>(null, true, 0, -1, 1e308, 2 ** 53, '', [], {}, [[]], { __proto__: null }, '0'.repeat(40), 'f'.repeat(40)),
  fc.constantFrom('refs/heads/', 'refs/heads/release/-x', 'refs/heads/release/$(id)', 'refs/heads/release/../..', 'refs/tags/v\0', 'refs/heads/main\n'),
  fc.constantFrom(`refs/heads/release/${'x'.repeat(1_000)}`, `refs/heads/release/${'ä'.repeat(500)}`, 'refs/heads/release/\ud800', 'refs/tags/v\ud800'),
  fc.constantFrom('/'.repeat(100_000), 'x'.repeat(1_000_000), `a${'/'.repeat(200_000)}b`, '@:'.repeat(50_000)),
  fc.string({ unit: 'binary' }).map((text) => `refs/heads/release/${text}`),
  fc.jsonValue(),
);
const signed = fc.constantFrom(...PROVIDERS).chain((provider) =>
  fc
    .constantFrom(...EVENTS[provider])
    .chain(([event, payload]) =>
      fc.record({ path: fc.constantFrom(...pathsOf(payload)), by: junk }).map(({ path, by }) => ({ event, payload: replaced(payload, path, by) })),
    )
    .map(({ event, payload }) => ({ provider, event, payload })),
);

describeWith(['temporal', 'redis'], 'hostile webhooks', () => {
  let stack: HostileStack;
  const announced = new Set<string>();
  beforeAll(async () => {
    const forges = PROVIDERS.filter((provider) => provider !== 'generic');
    stack = await openHostileStack({
      // Each request comes from an address of its own, or the limit of refused requests would answer most of them.
      env: { VARTRACK_TRUSTED_PROXIES: 'loopback', VARTRACK_WEBHOOKS_PER_MINUTE: '1000000' },
      repositories: forges
        .map((name) => `\n  ${name}: { provider: ${name}, url: "{repository}", webhookSecret: { env: STACK_WEBHOOK_SECRET }, poll: off }`)
        .join(''),
      rules: PROVIDERS.map(
        (name) => `
  ${name}:
    from: { repository: ${name === 'generic' ? 'config' : name}, files: [ "{env}.yaml" ] }
    environments: { branches: { main: production, "release/*": rc }, tags: { "v*": tagged }, pullRequests: "pr-{number}" }
    schema: none
    to: [ { sink: cache, place: "${name}:{env}" } ]`,
      ).join(''),
    });
  });
  afterAll(() => stack?.close());

  interface Answered {
    readonly status: number;
    readonly text: string;
  }

  async function send(provider: Provider, { headers, body }: { headers: OutgoingHttpHeaders; body: Uint8Array }): Promise<Answered> {
    const url = `${stack.api.url}/webhooks/${stack.tenant}/${provider === 'generic' ? 'config' : provider}`;
    const forwarded = `10.${[0, 0, 0].map(() => Math.floor(Math.random() * 250)).join('.')}`;
    const answer = await new Promise<Answered>((resolve, reject) => {
      const sending = request(url, { method: 'POST', headers: { 'x-forwarded-for': forwarded, 'content-length': body.length, ...headers } }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
      });
      sending.setTimeout(12_000, () => sending.destroy(new Error('not answered in time')));
      sending.on('error', reject);
      sending.end(body);
    });
    if (answer.status === 202) {
      const { workflowId, more = [] } = JSON.parse(answer.text) as { workflowId: string; more?: { workflowId: string }[] };
      for (const id of [workflowId, ...more.map((run) => run.workflowId)]) announced.add(id);
    }
    return answer;
  }

  /** Any bytes with a right signature of the provider over them. */
  function signedBytes(provider: Provider, body: Buffer): Delivery {
    const [event] = EVENTS[provider][0] ?? [''];
    const { headers } = delivery(provider, event, null, SECRET);
    const hex = hexHmac(body, SECRET);
    for (const name of SIGNATURES)
      if (name in headers && name !== 'x-gitlab-token') headers[name] = headers[name]?.startsWith('sha256=') ? `sha256=${hex}` : hex;
    return { body, headers };
  }

  it('that are signed and say anything anywhere are answered 200, 202 or 400, at once', async () => {
    await fc.assert(
      fc.asyncProperty(signed, async ({ provider, event, payload }) => {
        const answer = await send(provider, delivery(provider, event, payload, SECRET));
        expect([200, 202, 400], answer.text).toContain(answer.status);
        expect(answer.text.length).toBeLessThan(5_000);
      }),
      { numRuns: fuzzRuns(250) },
    );
  });

  it('that are signed and no JSON, or not Unicode, or nested without end, are answered 400', async () => {
    const whole = Buffer.from(JSON.stringify(EVENTS.github[0]?.[1]));
    const bodies = fc.oneof(
      fc.integer({ min: 0, max: whole.length - 1 }).map((length) => whole.subarray(0, length)),
      fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom('[', '{"repository":').map((opening) => Buffer.from(opening.repeat(100_000))),
      fc.constant(Buffer.from(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...PROVIDERS), bodies, async (provider, body) => {
        expect((await send(provider, signedBytes(provider, body))).status).toBe(400);
      }),
      { numRuns: fuzzRuns(60) },
    );
  });

  it('with a wrong, cut, doubled or missing signature are answered 401, whatever the rest is', async () => {
    const wrong = fc.oneof(
      fc.constantFrom<string | string[] | undefined>(undefined, '', 'sha256=', 'sha256=0', '0'.repeat(64), `sha256=${'0'.repeat(64)}`, 'x'.repeat(8_000)),
      fc.string({ unit: 'grapheme-ascii' }).map((text) => text.trim()),
      fc.constantFrom<string[]>(['doubled'], ['doubled', 'doubled']),
    );
    await fc.assert(
      fc.asyncProperty(signed, wrong, async ({ provider, event, payload }, signature) => {
        const { headers, body } = delivery(provider, event, payload, SECRET);
        const forged: OutgoingHttpHeaders = { ...headers };
        for (const name of SIGNATURES.filter((name) => name in headers)) {
          if (signature === undefined) delete forged[name];
          else forged[name] = Array.isArray(signature) ? [headers[name] ?? '', ...signature.map(String)] : signature;
        }
        expect((await send(provider, { headers: forged, body })).status).toBe(401);
      }),
      { numRuns: fuzzRuns(100) },
    );
  });

  it('that are compressed, of another type or too large are answered 415 and 413, and a bomb is never unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(200 * 1024 ** 2));
    for (const provider of PROVIDERS) {
      for (const encoding of ['gzip', 'deflate', 'br', 'gzip, gzip', 'identity, gzip']) {
        const { headers } = signedBytes(provider, bomb);
        expect((await send(provider, { headers: { ...headers, 'content-encoding': encoding }, body: bomb })).status).toBe(415);
      }
      const typed = signedBytes(provider, Buffer.from('{}'));
      expect((await send(provider, { ...typed, headers: { ...typed.headers, 'content-type': 'text/plain' } })).status).toBe(415);
    }
    const large = Buffer.alloc(25 * 1024 ** 2 + 1, ' ');
    expect((await send('github', signedBytes('github', large))).status).toBe(413);
    expect((await send('gitlab', signedBytes('gitlab', Buffer.alloc(25 * 1024 ** 2, '[')))).status).toBe(400);
  });

  it('that are sent again start nothing again', async () => {
    for (const provider of PROVIDERS) {
      const [event, payload] = EVENTS[provider][0] ?? ['', null];
      const again = delivery(provider, event, payload, SECRET, randomUUID());
      expect((await send(provider, again)).status).toBe(202);
      for (let count = 0; count < 3; count++)
        expect(await send(provider, again)).toMatchObject({ status: 200, text: expect.stringMatching(/repeated/) as string });
    }
  });

  it('over connections that break the protocol, or never end, do not keep others waiting', async () => {
    const { hostname, port } = new URL(stack.api.url);
    const head = `POST /webhooks/${stack.tenant}/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
    const endless = `${head}Transfer-Encoding: chunked\r\n\r\n`;
    const broken = [
      [`${endless}zz\r\n`, /^HTTP\/1.1 400 /],
      [`${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}`, /^HTTP\/1.1 400 /],
      [`${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, /^HTTP\/1.1 400 /],
      [`${head}Content-Length: -1\r\n\r\n`, /^HTTP\/1.1 400 /],
      [`${head}X: ${'x'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1.1 431 /],
      ['\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03', /^HTTP\/1.1 400 /],
    ] as const;
    const hanging = Array.from({ length: 50 }, () => connect(Number(port), hostname).on('error', () => undefined));
    for (const socket of hanging) socket.write(`${endless}1\r\n[\r\n`);
    const answers = await Promise.all(
      broken.map(
        ([bytes]) =>
          new Promise<string>((resolve, reject) => {
            let answer = '';
            const socket = connect(Number(port), hostname);
            socket.setTimeout(12_000, () => socket.destroy(new Error('not answered in time')));
            socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
            socket.on('error', (error) => (answer === '' ? reject(error) : resolve(answer)));
            socket.on('close', () => resolve(answer));
            socket.write(bytes, 'latin1');
          }),
      ),
    );
    expect(answers.map((answer, index) => broken[index]?.[1].test(answer))).toEqual(broken.map(() => true));
    await stack.survived();
    for (const socket of hanging) socket.destroy();
  });

  it('have started no run that a 202 did not name, and written nothing', async () => {
    await stack.survived();
    expect(await stack.redis.keys('*')).toEqual(expect.arrayContaining(['proof']) as string[]);
    const proof = `sync/${stack.tenant}/config/proof`;
    const found = new Set<string>();
    // What is listed lags behind; the last run that was started is there last.
    await expect
      .poll(
        async () => {
          for await (const run of stack.temporal.client.workflow.list({ query: `Tenant = "${stack.tenant}" AND WorkflowType = "syncWorkflow"` }))
            found.add(run.workflowId);
          return [...announced, proof].filter((id) => !found.has(id));
        },
        { timeout: 20_000 },
      )
      .toEqual([]);
    expect([...found].filter((id) => !announced.has(id) && id !== proof)).toEqual([]);
    const keys = await stack.redis.keys('*');
    expect(keys.filter((key) => !key.includes('proof'))).toEqual([]);
  });
});
