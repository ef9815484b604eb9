import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openGateway, type Fence, type Gateway } from '../../../sinks/helm/gateway.ts';

const secrets = '/api/v1/namespaces/shop/secrets';
const prefix = 'sh.helm.release.v1.web.v';
const record = (revision: number): string => JSON.stringify({ metadata: { name: `${prefix}${revision}` }, data: { release: 'SDRz' } });

describe('the gateway between Helm and the API server', () => {
  let upstream: Server;
  let seen: { readonly call: string; readonly authorization: string | undefined; readonly body: string }[];
  let gateway: Gateway | undefined;
  let status: number;

  beforeEach(async () => {
    seen = [];
    status = 200;
    upstream = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
      request.on('end', () => {
        seen.push({ call: `${request.method} ${request.url}`, authorization: request.headers.authorization, body });
        response.writeHead(status, { 'content-type': 'application/json' }).end('{"message":"said upstream"}');
      });
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    await gateway?.close();
    upstream.closeAllConnections();
    await new Promise<void>((resolve) => upstream.close(() => resolve()));
  });

  async function open(fence: Partial<Fence> = {}): Promise<Gateway> {
    const { port } = upstream.address() as AddressInfo;
    const access = async () => ({ server: `http://127.0.0.1:${port}/k8s`, request: { headers: { authorization: 'Bearer ours' } } });
    gateway = await openGateway(access, { secrets, prefix, next: 3, holds: async () => true, ...fence });
    return gateway;
  }

  const send = async (method: string, path: string, body?: string | Buffer): Promise<number> => {
    const init = { method, headers: { authorization: 'Bearer theirs' }, ...(body === undefined ? {} : { body }) };
    return (await fetch(`${gateway?.address}${path}`, init)).status;
  };

  test('passes on what it is asked, as us', async () => {
    await open();
    expect(await send('PATCH', '/apis/apps/v1/namespaces/shop/deployments/web?fieldManager=helm', '{"a":1}')).toBe(200);
    expect(seen).toEqual([
      { call: 'PATCH /k8s/apis/apps/v1/namespaces/shop/deployments/web?fieldManager=helm', authorization: 'Bearer ours', body: '{"a":1}' },
    ]);
  });

  test('answers nobody who does not know the secret of the run', async () => {
    const { address } = await open();
    const { origin } = new URL(address);
    for (const path of ['/version', `/${'A'.repeat(43)}/version`, '/']) expect((await fetch(`${origin}${path}`)).status).toBe(401);
    expect((await fetch(`${address.slice(0, -1)}/version`)).status).toBe(401);
    expect(seen).toEqual([]);
  });

  test('lets the next revision be made, also when the request is not JSON', async () => {
    await open();
    expect(await send('POST', secrets, record(3))).toBe(200);
    expect(await send('PUT', `${secrets}/${prefix}3`, record(3))).toBe(200);
    expect(await send('PUT', `${secrets}/${prefix}2`, record(2))).toBe(200);
    await gateway?.close();
    await open();
    const protobuf = Buffer.concat([Buffer.from('k8s\0\n\x0c'), Buffer.from([0x0a, prefix.length + 1]), Buffer.from(`${prefix}3`), Buffer.from([0x12, 0x00])]);
    expect(await send('POST', secrets, protobuf)).toBe(200);
    expect(seen.at(-1)?.body).toBe(protobuf.toString('latin1'));
  });

  test.each([1, 2, 4, 33])('refuses to have revision %i made, and all that would come after it', async (revision) => {
    await open();
    expect(await send('POST', secrets, record(revision))).toBe(409);
    expect(await send('PATCH', '/api/v1/namespaces/shop/configmaps/web', '{}')).toBe(409);
    expect(await send('GET', '/version')).toBe(200);
    expect(seen.map(({ call }) => call)).toEqual(['GET /k8s/version']);
    expect(gateway?.fenced()).toBe(true);
  });

  test('refuses the next revision of a release that moved', async () => {
    await open({ holds: async () => false });
    expect(await send('POST', secrets, record(3))).toBe(409);
    expect(gateway?.fenced()).toBe(true);
  });

  test('looks at the release before history is cleared away, again before the revision is made, and not after', async () => {
    let looked = 0;
    await open({ holds: async () => ++looked > 0 });
    expect(await send('DELETE', `${secrets}/${prefix}1`)).toBe(200);
    expect(looked).toBe(1);
    expect(await send('POST', secrets, record(3))).toBe(200);
    expect(looked).toBe(2);
    expect(await send('PUT', `${secrets}/${prefix}2`, record(2))).toBe(200);
    expect(looked).toBe(2);
  });

  test('lets no revision be made by a run that makes none', async () => {
    await open({ next: null });
    expect(await send('PUT', `${secrets}/${prefix}2`, record(2))).toBe(200);
    expect(await send('POST', secrets, record(3))).toBe(409);
  });

  test('leaves Secrets that are no records of the release to the chart', async () => {
    await open({ holds: async () => false });
    expect(await send('POST', secrets, JSON.stringify({ metadata: { name: 'password' } }))).toBe(200);
    expect(await send('POST', '/api/v1/namespaces/other/secrets', record(9))).toBe(200);
    expect(await send('POST', secrets, record(3).replace('.web.', '.web2.'))).toBe(200);
  });

  test('remembers what was refused upstream, but not what merely is not there', async () => {
    await open();
    status = 404;
    await send('GET', '/api/v1/namespaces/shop/configmaps/web');
    status = 422;
    await send('POST', '/api/v1/namespaces/shop/configmaps?dryRun=All', '{}');
    await expect.poll(() => gateway?.troubles().length).toBe(1);
    expect(gateway?.troubles()).toEqual([{ method: 'POST', path: '/api/v1/namespaces/shop/configmaps', status: 422, text: '{"message":"said upstream"}' }]);
  });

  test('says when an answer breaks off', async () => {
    await open();
    upstream.removeAllListeners('request');
    upstream.on('request', (_request, response: ServerResponse) => {
      response.writeHead(200, { 'content-length': '100' }).write('half');
      setImmediate(() => response.destroy());
    });
    await expect(fetch(`${gateway?.address}/openapi/v3`).then((answer) => answer.text())).rejects.toThrow();
    await expect.poll(() => gateway?.troubles()).toEqual([{ method: 'GET', path: '/openapi/v3', status: 0, text: '' }]);
  });

  test('says when nobody answers upstream, and listens no more once it is closed', async () => {
    const { address } = await open();
    upstream.closeAllConnections();
    await new Promise<void>((resolve) => upstream.close(() => resolve()));
    expect(await send('GET', '/version')).toBe(503);
    expect(gateway?.troubles()).toEqual([{ method: 'GET', path: '/version', status: 0, text: '' }]);
    await gateway?.close();
    await expect(fetch(`${address}/version`)).rejects.toThrow();
  });
});
