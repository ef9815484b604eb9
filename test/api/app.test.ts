import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { AppDependencies } from '../../api/app.ts';
import type { Provider } from '../../domain/bundle.ts';
import type { ResolveCredential } from '../../sinks/sink.ts';
import { bundleOf, repositoryOf, startApiUnderTest, type ApiUnderTest } from './api-under-test.ts';
import { delivery, fixture, GITLAB_SIGNING_TOKEN, hexHmac, SECRET, standardWebhook } from './signed-delivery.ts';

const HOOK = '/webhooks/acme/config';
const COMMIT = '9d1c7a64e02f5b6d8c3e4f5061728394a5b6c7d8';
const push = (id?: string) => delivery('github', 'push', fixture('github-push-branch'), SECRET, id);

let api: ApiUnderTest;
async function start(overrides?: Partial<AppDependencies>): Promise<ApiUnderTest> {
  api = await startApiUnderTest(overrides);
  return api;
}
afterEach(async () => {
  await api.server.drain(0);
});

describe('a good webhook', () => {
  it('is answered 202 with the run, and the stream is told who pushed what', async () => {
    await start();
    const answer = await api.send(HOOK, push('delivery-1'));
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({
      status: 'accepted',
      workflowId: 'sync/acme/config/main',
      runId: 'run-1',
      stream: 'main',
      links: { ui: 'http://ui.example/run-1' },
    });
    expect(api.started).toEqual([
      {
        stream: { tenant: 'acme', repository: 'config', stream: 'main' },
        request: { id: 'delivery-1', trigger: 'push', ref: { kind: 'branch', name: 'main' }, commit: COMMIT, by: 'ada' },
      },
    ]);
  });

  const pushes: [Provider, string, string][] = [
    ['github', 'push', 'github-push-branch'],
    ['gitlab', 'Push Hook', 'gitlab-push-branch'],
    ['gitea', 'push', 'gitea-push-branch'],
    ['forgejo', 'push', 'forgejo-push-branch'],
    ['bitbucket', 'repo:push', 'bitbucket-push-branch'],
    ['generic', '', 'generic-push-branch'],
  ];
  it.each(pushes)('of %s starts its stream', async (provider, event, name) => {
    await start({ bundle: () => bundleOf({ config: repositoryOf(provider) }) });
    expect(await api.send(HOOK, delivery(provider, event, fixture(name)))).toMatchObject({ status: 202 });
    expect(api.started).toMatchObject([{ stream: { stream: 'main' }, request: { trigger: 'push', commit: COMMIT } }]);
  });

  it('of GitLab with a signing token starts its stream', async () => {
    await start({ bundle: () => bundleOf({ config: repositoryOf('gitlab') }), resolveCredential: () => Promise.resolve(GITLAB_SIGNING_TOKEN) });
    expect(await api.send(HOOK, standardWebhook('Push Hook', fixture('gitlab-push-branch'), GITLAB_SIGNING_TOKEN, Date.now()))).toMatchObject({ status: 202 });
    expect(await api.send(HOOK, standardWebhook('Push Hook', fixture('gitlab-push-branch'), GITLAB_SIGNING_TOKEN, Date.now() - 400_000))).toMatchObject({
      status: 401,
    });
  });

  it('of a tag goes to the stream of the pattern, of a pull request to its own', async () => {
    await start();
    await api.send(HOOK, delivery('github', 'push', fixture('github-push-tag')));
    await api.send(HOOK, delivery('github', 'pull_request', fixture('github-pull-request-synchronize')));
    await api.send(HOOK, delivery('github', 'pull_request', fixture('github-pull-request-closed')));
    expect(api.started.map(({ stream, request }) => [stream.stream, request.trigger])).toEqual([
      ['tags:v*', 'push'],
      ['pr:42', 'push'],
      ['pr:42', 'closed'],
    ]);
  });

  it('with several refs starts every stream, each request under an id of its own', async () => {
    await start({ bundle: () => bundleOf({ config: repositoryOf('bitbucket') }) });
    const answer = await api.send(HOOK, delivery('bitbucket', 'repo:push', fixture('bitbucket-push-several'), SECRET, 'd'));
    expect(answer).toMatchObject({ status: 202, body: { stream: 'main', more: [{ stream: 'tags:v*' }, { stream: 'tags:v*' }] } });
    expect(api.started.map(({ request }) => request.id)).toEqual(['d#0', 'd#1', 'd#2']);
  });
});

describe('nothing to do is 200 and says why', () => {
  it.each([
    ['ping', 'github-ping', /ping/],
    ['issues', 'github-issues', /not about a ref/],
    ['push', 'github-push-deleted', /deleted branch/],
    ['pull_request', 'github-pull-request-fork', /fork/],
  ])('for %s: %s', async (event, name, why) => {
    await start();
    const answer = await api.send(HOOK, delivery('github', event, fixture(name)));
    expect(answer).toMatchObject({ status: 200, body: { status: 'nothing-to-do', why: expect.stringMatching(why) as string } });
    expect(api.started).toEqual([]);
  });

  it('for a branch that no rule routes', async () => {
    await start();
    const answer = await api.send(HOOK, delivery('github', 'push', { ...fixture('github-push-branch'), ref: 'refs/heads/feature/x' }));
    expect(answer).toMatchObject({ status: 200, body: { why: 'no rule routes branch feature/x' } });
  });

  it('for a repeated delivery', async () => {
    await start();
    expect(await api.send(HOOK, push('again'))).toMatchObject({ status: 202 });
    expect(await api.send(HOOK, push('again'))).toMatchObject({ status: 200, body: { status: 'repeated' } });
    expect(await api.send(HOOK, push('another'))).toMatchObject({ status: 202 });
    expect(api.started).toHaveLength(2);
  });

  it('but a delivery that was not accepted may come again, and one without an id is never taken for a repeat', async () => {
    let isDown = true;
    await start({ startSync: () => (isDown ? Promise.reject(new Error('down')) : Promise.resolve({ workflowId: 'w', runId: 'r' })) });
    expect(await api.send(HOOK, push('again'))).toMatchObject({ status: 503 });
    isDown = false;
    expect(await api.send(HOOK, push('again'))).toMatchObject({ status: 202 });
    const { 'x-github-delivery': _, ...headers } = push().headers;
    for (const _time of [1, 2]) expect(await api.send(HOOK, { ...push(), headers })).toMatchObject({ status: 202 });
  });
});

describe('a webhook is refused', () => {
  it('with 400 when the body is not JSON, or not what the event says, without quoting it', async () => {
    await start();
    const body = Buffer.from('{"ref": canary}');
    const signed = { ...push().headers, 'x-hub-signature-256': `sha256=${hexHmac(body, SECRET)}` };
    expect(await api.send(HOOK, { headers: signed, body })).toMatchObject({ status: 400, body: { why: 'the body is not JSON' } });
    const answer = await api.send(HOOK, delivery('github', 'push', { ...fixture('github-push-branch'), ref: 17, after: 'canary' }));
    expect(answer).toMatchObject({ status: 400, body: { why: expect.stringMatching(/ref: .*after: /) as string } });
    expect(JSON.stringify(answer.body) + api.logText()).not.toContain('canary');
  });

  it('with 400 when it is of another repository, naming it', async () => {
    await start();
    const payload = { ...fixture('github-push-branch'), repository: { full_name: 'acme/website', clone_url: 'https://github.com/acme/website.git' } };
    const answer = await api.send(HOOK, delivery('github', 'push', payload));
    expect(answer).toMatchObject({ status: 400, body: { status: 'wrong-repository', why: expect.stringContaining('acme/website') as string } });
    expect(await api.send(HOOK, delivery('github', 'ping', payload))).toMatchObject({ status: 400 });
    expect(api.started).toEqual([]);
  });

  it('with 401 when the signature is wrong, missing, or that of another provider, even if its headers say so', async () => {
    await start();
    const { headers, body } = push();
    const { 'x-hub-signature-256': _, ...unsigned } = headers;
    expect(await api.send(HOOK, delivery('github', 'push', fixture('github-push-branch'), 'guess'))).toMatchObject({ status: 401 });
    expect(await api.send(HOOK, { headers: unsigned, body })).toMatchObject({ status: 401 });
    expect(await api.send(HOOK, delivery('forgejo', 'push', fixture('forgejo-push-branch')))).toMatchObject({ status: 401 });
    expect(await api.send(HOOK, delivery('gitlab', 'Push Hook', fixture('gitlab-push-branch')))).toMatchObject({ status: 401 });
    expect(api.started).toEqual([]);
  });

  it('with 401 before its body is parsed', async () => {
    await start();
    expect(await api.send(HOOK, { headers: push().headers, body: Buffer.from('not json') })).toMatchObject({ status: 401 });
  });

  it('with one and the same 404 for an unknown tenant, an unknown repository, one without a secret, and a name of every object', async () => {
    await start({ bundle: () => bundleOf({ config: repositoryOf('github'), silent: withoutSecret() }) });
    const paths = ['/webhooks/nobody/config', '/webhooks/acme/nothing', '/webhooks/acme/silent', '/webhooks/constructor/config', '/webhooks/acme/__proto__'];
    const answers = await Promise.all(paths.map((path) => api.send(path, push())));
    for (const answer of answers) expect(answer).toMatchObject({ status: 404, body: answers[0]?.body });
  });

  it('with 400 when the path is malformed, 404 elsewhere, 405 for a GET', async () => {
    await start();
    expect(await api.send('/webhooks/acme/%ff', push())).toMatchObject({ status: 400 });
    expect(await api.send('/webhooks/acme', push())).toMatchObject({ status: 404 });
    const got = await fetch(api.server.url + HOOK);
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST']);
  });

  it('with 413 when it is larger than 25 MiB, declared or not, and not when it is exactly that', async () => {
    await start();
    const sized = (size: number) => {
      const body = Buffer.alloc(size, 0x20);
      Buffer.from(JSON.stringify(fixture('github-push-branch'))).copy(body);
      return { body, headers: { ...push().headers, 'x-hub-signature-256': `sha256=${hexHmac(body, SECRET)}` } };
    };
    const limit = 25 * 1024 * 1024;
    expect(await api.send(HOOK, sized(limit))).toMatchObject({ status: 202 });
    expect(await api.send(HOOK, sized(limit + 1))).toMatchObject({ status: 413, body: { status: 'too-large' } });
    const { headers, body } = sized(limit + 1);
    const chunked = await fetch(api.server.url + HOOK, {
      method: 'POST',
      headers,
      body: new Blob([new Uint8Array(body)]).stream(),
      duplex: 'half',
    });
    expect(chunked.status).toBe(413);
    expect(api.started).toHaveLength(1);
  });

  it('with 413 at once when it declares far more, without waiting for it', async () => {
    await start();
    const answer = await raw(`POST ${HOOK} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{`);
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).toMatch(/Connection: close/i);
  });

  it('with 413 in the middle of a body without an end, over the connection that it still writes to', async () => {
    await start({ maxBodyBytes: 1000 });
    const head = `POST ${HOOK} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
    expect(await raw(`${head}${`64\r\n${' '.repeat(100)}\r\n`.repeat(25)}`)).toMatch(/^HTTP\/1.1 413 /);
  });

  it.each([
    ['application/x-www-form-urlencoded', /choose the content type application\/json/],
    ['text/plain', /must be application\/json/],
    ['', /must be application\/json/],
  ])('with 415 when the content type is "%s"', async (type, why) => {
    await start();
    const { headers, body } = push();
    expect(await api.send(HOOK, { headers: { ...headers, 'content-type': type }, body })).toMatchObject({
      status: 415,
      body: { why: expect.stringMatching(why) as string },
    });
  });

  it('with 415 when the body is compressed, and not for a charset', async () => {
    await start();
    const { headers, body } = push();
    expect(await api.send(HOOK, { headers: { ...headers, 'content-encoding': 'gzip' }, body: gzipSync(body) })).toMatchObject({ status: 415 });
    expect(await api.send(HOOK, { headers: { ...headers, 'content-type': 'application/json; charset=utf-8' }, body })).toMatchObject({ status: 202 });
  });

  it('with 429 and Retry-After when one address is refused too often, while good webhooks do not count', async () => {
    await start({ limits: { refusedPerAddress: 3, perRepository: 1000 } });
    for (let good = 0; good < 6; good++) expect(await api.send(HOOK, push())).toMatchObject({ status: 202 });
    for (let bad = 0; bad < 3; bad++) expect(await api.send(HOOK, delivery('github', 'push', {}, 'guess'))).toMatchObject({ status: 401 });
    const answer = await api.send(HOOK, delivery('github', 'push', {}, 'guess'));
    expect(answer).toMatchObject({ status: 429, body: { status: 'throttled' } });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('with 429 whatever a sender says of proxies, unless the proxy is trusted', async () => {
    const limits = { refusedPerAddress: 2, perRepository: 1000 };
    const guesses = async () => {
      const statuses: number[] = [];
      for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) {
        const { headers, body } = delivery('github', 'push', {}, 'guess');
        statuses.push((await api.send(HOOK, { headers: { ...headers, 'x-forwarded-for': address }, body })).status);
      }
      return statuses;
    };
    await start({ limits });
    expect(await guesses()).toEqual([401, 401, 429]);
    await api.server.drain(0);
    await start({ limits, trustedProxies: 'loopback' });
    expect(await guesses()).toEqual([401, 401, 401]);
  });

  it('with 429 when one repository gets too many, which a stranger without its secret cannot bring about', async () => {
    await start({
      limits: { refusedPerAddress: 1000, perRepository: 2 },
      bundle: () => bundleOf({ config: repositoryOf('github'), second: repositoryOf('github') }),
    });
    for (let bad = 0; bad < 5; bad++) await api.send(HOOK, delivery('github', 'push', {}, 'guess'));
    for (let good = 0; good < 2; good++) expect(await api.send(HOOK, push())).toMatchObject({ status: 202 });
    const answer = await api.send(HOOK, push());
    expect(answer).toMatchObject({ status: 429 });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await api.send('/webhooks/acme/second', push())).toMatchObject({ status: 202 });
  });

  it('with 503 and Retry-After when Temporal cannot be reached, without telling the cause', async () => {
    await start({ startSync: () => Promise.reject(new Error('connect ECONNREFUSED 10.1.2.3:7233')) });
    const answer = await api.send(HOOK, push());
    expect(answer).toMatchObject({ status: 503, body: { status: 'unavailable' } });
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(JSON.stringify(answer.body)).not.toContain('10.1.2.3');
    await expect.poll(() => api.logText()).toContain('10.1.2.3');
  });

  it('with 503 inside the budget when Temporal does not answer', async () => {
    await start({ answerBudgetMs: 50, startSync: () => new Promise(() => undefined) });
    expect(await api.send(HOOK, push())).toMatchObject({ status: 503 });
  });

  it('with 503 when its secret cannot be read or is empty: never is everything let in', async () => {
    await start({ resolveCredential: () => Promise.resolve('') });
    expect(await api.send(HOOK, delivery('github', 'push', fixture('github-push-branch'), ''))).toMatchObject({ status: 503 });
    await expect.poll(() => api.logText()).toContain('the webhook secret is empty');
    await api.server.drain(0);
    await start({ resolveCredential: () => Promise.reject(new Error('environment variable HOOK is not set')) });
    expect(await api.send(HOOK, push())).toMatchObject({ status: 503 });
    await expect.poll(() => api.logText()).toContain('HOOK is not set');
  });

  it('with 503 inside the budget when its secret is not read in time', async () => {
    await start({ answerBudgetMs: 50, resolveCredential: () => new Promise(() => undefined) });
    expect(await api.send(HOOK, push())).toMatchObject({ status: 503 });
    await expect.poll(() => api.logText()).toContain('the webhook secret could not be read in time');
  });

  it('with 202 when its secret of Vault was rotated since it was read, and with 401 when it was not', async () => {
    const rereads: number[] = [];
    const bundle = bundleOf({ config: repositoryOf('github', { webhookSecret: { vault: 'vault:hooks#secret', tenant: 'acme' } }) });
    let stored = SECRET;
    const resolveCredential: ResolveCredential = async (_reference, { notBefore = 0 } = {}) => {
      if (notBefore > 0) rereads.push(notBefore);
      return notBefore > 0 ? stored : 'the one before';
    };
    await start({ bundle: () => bundle, resolveCredential });
    expect(await api.send(HOOK, push())).toMatchObject({ status: 202 });
    stored = 'the one before';
    expect(await api.send(HOOK, push())).toMatchObject({ status: 401 });
    expect(rereads).toHaveLength(2);
    // Strangers must not make it read for each webhook that they make up.
    for (const notBefore of rereads) expect(notBefore).toBeLessThan(Date.now() - 4_000);
  });

  it('with 500 and no word of the cause when something unforeseen breaks', async () => {
    await start({
      bundle: () => {
        throw new TypeError('secret detail');
      },
    });
    const answer = await api.send(HOOK, push());
    expect(answer).toMatchObject({ status: 500, body: { status: 'failed' } });
    expect(JSON.stringify(answer.body)).not.toMatch(/secret detail|\.ts/);
  });
});

describe('what is told about webhooks', () => {
  it('is one line each, without signatures, secrets or bodies', async () => {
    await start();
    const good = push('delivery-9');
    await api.send(HOOK, good);
    await api.send(HOOK, delivery('github', 'push', fixture('github-push-branch'), 'guess'));
    await expect.poll(() => api.lines()).toHaveLength(2);
    expect(api.lines()).toMatchObject([
      {
        level: 'info',
        tenant: 'acme',
        repository: 'config',
        provider: 'github',
        event: 'push',
        deliveryId: 'delivery-9',
        outcome: 'accepted',
        status: 202,
        runs: ['sync/acme/config/main'],
      },
      { outcome: 'bad-signature', status: 401 },
    ]);
    expect(api.lines()[0]?.['requestId']).toMatch(/^[0-9a-f-]{36}$/);
    expect(api.lines()[0]?.['ms']).toEqual(expect.any(Number));
    for (const secret of [SECRET, good.headers['x-hub-signature-256'] ?? '?', 'Raise the pool size']) expect(api.logText()).not.toContain(secret);
  });

  it('is counted by provider and outcome, timed, and nothing stays in flight', async () => {
    await start();
    await api.send(HOOK, push());
    await api.send('/webhooks/nobody/config', push());
    await expect.poll(() => api.metrics.registry.metrics()).toContain('vartrack_webhooks_total{provider="unknown",outcome="not-found"} 1');
    const text = await api.metrics.registry.metrics();
    expect(text).toContain('vartrack_webhooks_total{provider="github",outcome="accepted"} 1');
    expect(text).toContain('vartrack_webhook_duration_seconds_count{outcome="accepted"} 1');
    expect(text).toContain('vartrack_webhooks_in_flight 0');
  });

  it('carries the request id in the answer, and not what the server is made of', async () => {
    await start();
    const { headers } = await api.send(HOOK, push());
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers.get('x-powered-by')).toBeNull();
  });

  it('does not let a delivery id of any shape into histories', async () => {
    await start();
    await api.send(HOOK, push('x'.repeat(5000)));
    expect(api.started[0]?.request.id).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('health', () => {
  it('is alive, and ready while Temporal answers', async () => {
    let isDown = false;
    await start({ probeTemporal: () => (isDown ? Promise.reject(new Error('down')) : Promise.resolve()) });
    const statusOf = async (path: string) => (await fetch(api.server.url + path)).status;
    expect([await statusOf('/healthz'), await statusOf('/readyz')]).toEqual([200, 200]);
    isDown = true;
    expect([await statusOf('/healthz'), await statusOf('/readyz')]).toEqual([200, 503]);
  });
});

/** What the server answers to bytes, read until it closes the connection. */
async function raw(text: string): Promise<string> {
  const { hostname, port } = new URL(api.server.url);
  const socket = connect(Number(port), hostname);
  socket.write(text);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

function withoutSecret() {
  const { webhookSecret: _, ...repository } = repositoryOf('github');
  return repository;
}
