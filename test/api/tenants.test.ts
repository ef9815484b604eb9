import { afterEach, describe, expect, it } from 'vitest';
import type { AppDependencies } from '../../api/app.ts';
import type { TenantsOptions } from '../../api/tenants.ts';
import type { WatchRequest } from '../../schemas/watch-request.ts';
import { watchState } from '../domain/watched.ts';
import { bundleOf, repositoryOf, startApiUnderTest, type ApiUnderTest } from './api-under-test.ts';

const TOKEN = 'canary-token-0123456789-0123456789';
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };
const OPERATIONS = ['pause', 'resume', 'heal', 'check'] as const;

let api: ApiUnderTest;
let told: [string, WatchRequest][];
afterEach(async () => {
  await api.server.drain(0);
});

async function start(watch: Partial<TenantsOptions> = {}, overrides: Partial<AppDependencies> = {}): Promise<void> {
  told = [];
  const bundle = bundleOf({ config: repositoryOf('github') });
  const [name = '', rule] = Object.entries(bundle.tenants['acme']?.rules ?? {})[0] ?? [];
  const rules = { [name]: { ...rule, to: [{}, {}] } } as unknown as NonNullable<(typeof bundle.tenants)['acme']>['rules'];
  const acme = { ...bundle.tenants['acme'], rules } as NonNullable<(typeof bundle.tenants)['acme']>;
  api = await startApiUnderTest({
    bundle: () => ({ ...bundle, tenants: { acme } }),
    tenants: {
      token: TOKEN,
      readWatch: (tenant) => Promise.resolve(watchState({ tenant })),
      tellWatch: (tenant, request) => {
        told.push([tenant, request]);
        return Promise.resolve();
      },
      ...watch,
    },
    ...overrides,
  });
}

describe('/tenants', () => {
  it('is not there unless it is configured', async () => {
    api = await startApiUnderTest();
    expect((await get('/tenants/acme/drift')).status).toBe(404);
    for (const operation of OPERATIONS) expect((await post(operation, { by: 'ann' })).status).toBe(404);
  });

  it('tells what a tenant’s watch knows, and tells nobody to keep it', async () => {
    await start();
    const answer = await get('/tenants/acme/drift');
    expect(answer).toMatchObject({ status: 200, body: { tenant: 'acme', targets: [], pause: null } });
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it.each([
    ['pause', { by: 'ann', reason: 'moving the cache', until: '2036-12-01T06:00+01:00' }, { until: '2036-12-01T05:00:00.000Z' }],
    ['resume', { by: 'ann' }, {}],
    ['heal', { by: 'ann', reason: 'now', targets: ['config/production/1'], force: true }, {}],
    ['check', { by: 'ann', targets: ['config/production/0'] }, {}],
  ] as const)('hands on %s with who asks, and writes both down', async (kind, body, parsed) => {
    await start();
    const answer = await post(kind, body);
    expect(answer).toMatchObject({ status: 202, body: { status: 'accepted', workflowId: 'drift/acme' } });
    expect(told).toEqual([['acme', { kind, ...body, ...parsed }]]);
    expect(api.lines()).toMatchObject([{ msg: 'tenant', tenant: 'acme', kind, by: 'ann', address: expect.any(String) as string }]);
    expect(api.logText()).not.toContain(TOKEN);
  });

  it('takes the end of a pause as a duration', async () => {
    await start();
    const before = Date.now();
    expect((await post('pause', { by: 'ann', reason: 'x', until: '2h' })).status).toBe(202);
    const [[, asked] = []] = told;
    expect(Date.parse((asked as { until: string }).until) - before).toBeGreaterThanOrEqual(7_200_000);
  });

  it.each([
    ['no token', {}, 'send the token of VARTRACK_API_TOKEN'],
    ['another token', { authorization: 'Bearer canary-token-of-somebody-else-012345' }, 'this is not the token'],
    ['another scheme', { authorization: `Basic ${TOKEN}` }, 'send the token'],
  ])('refuses %s before it reads the body or tells which tenants there are, and repeats nothing of it', async (_what, headers, why) => {
    await start();
    const answers = [
      ...(await Promise.all(OPERATIONS.map((operation) => post(operation, '{ not even JSON', headers)))),
      await get('/tenants/acme/drift', headers),
      await get('/tenants/nobody/drift', headers),
    ];
    for (const { status, body } of answers)
      expect({ status, body }).toEqual({ status: 401, body: { status: 'unauthorized', why: expect.stringContaining(why) } });
    expect(answers[0]?.headers.get('www-authenticate')).toContain('Bearer');
    expect(JSON.stringify(answers) + api.logText()).not.toContain('canary');
    expect(told).toEqual([]);
  });

  it('throttles an address that guesses, and not one that asks often', async () => {
    await start({}, { limits: { refusedPerAddress: 2, perRepository: 10 } });
    for (let asked = 0; asked < 4; asked++) expect((await get('/tenants/acme/drift')).status).toBe(200);
    const statuses: number[] = [];
    for (let guess = 0; guess < 4; guess++) statuses.push((await get('/tenants/acme/drift', { authorization: `Bearer guess-${guess}` })).status);
    expect(statuses).toEqual([401, 401, 429, 429]);
  });

  it('says what is wrong with a request, field by field, and hands nothing on', async () => {
    await start();
    const cases: [(typeof OPERATIONS)[number], unknown, number, RegExp][] = [
      ['pause', '{', 400, /not JSON/],
      ['pause', { reason: 'x' }, 400, /^by: /],
      ['pause', { by: ' ', reason: 'x\ny' }, 400, /by: must not be empty; reason: must be one line/],
      ['pause', { by: 'ann', reason: 'x', until: 'tomorrow' }, 400, /until: "tomorrow" is no time; write a duration such as 30m/],
      ['pause', { by: 'ann', reason: 'x', until: '2020-01-01T00:00Z' }, 400, /is over already/],
      ['resume', { by: 'ann', reason: 'x' }, 400, /reason/],
      ['heal', { by: 'ann', force: false }, 400, /force/],
      ['heal', { by: 'ann', targets: [] }, 400, /leave it out for all/],
      [
        'heal',
        { by: 'ann', targets: ['config', 'other/production/0', 'config/production/2'] },
        400,
        /is no target.*there is no rule other.*has 2 destinations/,
      ],
      ['check', { by: 'a'.repeat(201) }, 400, /by: must not be longer than 200/],
      ['check', { by: 'a'.repeat(200_000) }, 413, /larger than 131072 bytes/],
    ];
    for (const [operation, body, status, why] of cases)
      expect(await post(operation, body), JSON.stringify(body).slice(0, 100)).toMatchObject({ status, body: { why: expect.stringMatching(why) as string } });
    expect((await post('check', '{}', { ...AUTHORIZED, 'content-type': 'text/plain' })).status).toBe(415);
    expect((await get('/tenants/acme/pause')).status).toBe(405);
    for (const name of ['nobody', 'constructor', '__proto__']) expect((await get(`/tenants/${name}/drift`)).status).toBe(404);
    expect(told).toEqual([]);
  });

  it('answers 503 where Temporal or every worker is away', async () => {
    const away = () => Promise.reject(new Error('there is no connection to Temporal yet'));
    await start({ readWatch: away, tellWatch: away });
    expect(await get('/tenants/acme/drift')).toMatchObject({ status: 503, body: { why: 'Temporal does not answer' } });
    const refused = await post('resume', { by: 'ann' });
    expect(refused).toMatchObject({ status: 503, body: { status: 'unavailable' } });
    expect(refused.headers.get('retry-after')).toBe('5');
    await api.server.drain(0);
    await start({ readWatch: (tenant) => Promise.resolve({ tenant, silent: 'no-worker' }) });
    expect(await get('/tenants/acme/drift')).toMatchObject({ status: 503, body: { why: expect.stringContaining('no worker answers') as string } });
  });
});

async function post(operation: string, body: unknown, headers: Readonly<Record<string, string>> = AUTHORIZED) {
  const response = await fetch(`${api.server.url}/tenants/acme/${operation}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, unknown> };
}

async function get(path: string, headers: Readonly<Record<string, string>> = AUTHORIZED) {
  const response = await fetch(api.server.url + path, { headers });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, unknown> };
}
