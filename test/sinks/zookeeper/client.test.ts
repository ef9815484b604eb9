import { readFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { aclOf, CREATOR_ALL } from '../../../sinks/zookeeper/acl.ts';
import { createClient, type ZooKeeper } from '../../../sinks/zookeeper/client.ts';
import { createEnsemble } from '../../../sinks/zookeeper/ensemble.ts';
import { readLogin } from '../../../sinks/zookeeper/login.ts';
import { zooKeeperOptions } from '../../../sinks/zookeeper/options.ts';
import { makeCertificates } from '../../servers/certificates.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { freePort } from '../../servers/free-port.ts';
import { startZooKeeper, type ZooKeeperServer } from '../../servers/zookeeper.ts';
import { failure } from '../contract/scenario.ts';

const signal = () => AbortSignal.timeout(20_000);
const acl = aclOf(CREATOR_ALL);

describeWith('zookeeper', 'the client of the zookeeper sink', () => {
  let server: ZooKeeperServer;
  beforeAll(async () => {
    server = await startZooKeeper();
  });
  afterAll(() => server.stop());

  function open(more: Readonly<Record<string, unknown>> = {}, resolve: (reference: object) => Promise<string> = async () => 'user:password'): ZooKeeper {
    const options = zooKeeperOptions.parse({ servers: [server.address], auth: { env: 'A' }, connectTimeout: '2s', ...more });
    const client = createClient(createEnsemble(options, () => readLogin(options, resolve)));
    onTestFinished(() => client.close());
    return client;
  }
  const look = (client: ZooKeeper) => client.stat('zookeeper /x', ['/'], signal());
  const sessions = async (): Promise<number> => Number(/^Connections: (\d+)/m.exec(await server.ask('srvr'))?.[1]);

  test('keeps its session alive when nothing is asked for longer than its timeout', async () => {
    const client = open({ sessionTimeout: '400ms' });
    await look(client);
    const sessionsOf = async () =>
      new Map([...(await server.ask('cons')).matchAll(/recved=(\d+),.*?sid=(0x[0-9a-f]+)/g)].map(([, received, id]) => [id, Number(received)]));
    const [[id, received] = ['', 0]] = [...(await sessionsOf())].toSorted(([one = ''], [other = '']) => (one < other ? 1 : -1));
    // Nine of the pings of which three are sent before the session would end.
    await expect.poll(async () => (await sessionsOf()).get(id), { timeout: 10_000 }).toBeGreaterThan(received + 9);
  });

  test('fails while the server is frozen for longer than the session lasts, and begins a new session afterwards', async () => {
    const client = open({ sessionTimeout: '400ms', requestTimeout: '600ms', connectTimeout: '500ms' });
    await look(client);
    server.freeze();
    try {
      const error = await failure(look(client), 'unavailable');
      expect(error.message).toMatch(/^zookeeper \/x: no answer in time/);
      await failure(look(client), 'unavailable');
    } finally {
      server.resume();
    }
    await expect
      .poll(
        () =>
          look(client).then(
            () => 'answers',
            () => 'fails',
          ),
        { timeout: 10_000 },
      )
      .toBe('answers');
  });

  test('connects to the next server where the first is away', async () => {
    const client = open({ servers: [`127.0.0.1:${await freePort()}`, server.address, `127.0.0.1:${await freePort()}`] });
    for (let call = 0; call < 3; call++) await look(client);
  });

  test('says which server could not be reached', async () => {
    const port = await freePort();
    const error = await failure(look(open({ servers: [`127.0.0.1:${port}`] })), 'unavailable');
    expect(error.message).toBe(`zookeeper /x at 127.0.0.1:${port}: not reachable (ECONNREFUSED)`);
  });

  test('uses one session for many calls at once, and ends it when it is closed', async () => {
    const before = await sessions();
    const client = open();
    await Promise.all(Array.from({ length: 20 }, () => look(client)));
    expect(await sessions()).toBe(before + 1);
    await client.close();
    await expect.poll(sessions, { timeout: 5_000 }).toBe(before);
    await failure(look(client), 'unavailable');
  });

  test('reads its credential again for a new session', async () => {
    const given = ['user:first', 'user:second'];
    const client = open({ sessionTimeout: '400ms', requestTimeout: '600ms' }, async () => given.shift() ?? 'user:third');
    await look(client);
    await server.outage.begin();
    await failure(look(client), 'unavailable');
    await server.outage.end();
    await look(client);
    expect(given).toEqual([]);
  });

  test.each(['no colon', ':password', 'user:'])('refuses a credential that reads %j, without repeating it', async (credential) => {
    const error = await failure(look(open({}, async () => credential)), 'unauthorized');
    expect(error.message).toContain('has to be user:password');
    expect(error.message).not.toContain(`"${credential}"`);
  });

  test('tells a server that speaks something else from one that is silent', async () => {
    const other = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void other.close());
    const error = await failure(look(open({ servers: [`127.0.0.1:${(other.address() as AddressInfo).port}`] })), 'unavailable');
    expect(error.message).toContain('does not speak the protocol of ZooKeeper');
  });

  test('an answer that the server never gives to one request is waited for only so long, though it answers pings', async () => {
    const proxy = createServer((down) => {
      const up = connect(server.port, '127.0.0.1');
      let seen = 0;
      up.pipe(down);
      // The session and its first pings pass; a request of a known size is swallowed.
      down.on('data', (chunk) => {
        seen += 1;
        if (seen === 1 || chunk.length <= 12) up.write(chunk);
      });
      for (const socket of [up, down]) socket.on('error', () => undefined).on('close', () => [up, down].forEach((each) => each.destroy()));
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void proxy.close());
    const servers = [`127.0.0.1:${(proxy.address() as AddressInfo).port}`];
    const error = await failure(look(open({ servers, auth: undefined, sessionTimeout: '400ms', requestTimeout: '800ms' })), 'unavailable');
    expect(error.message).toContain('no answer in time');
  });

  test('changes nothing where one step of a transaction fails, also one that expects version 0', async () => {
    const client = open();
    const path = '/steps';
    const data = Buffer.from('x');
    await client.transact('t', [{ op: 'create', path, data, acl }], signal());
    expect(await client.transact('t', [{ op: 'setData', path, data, version: 0 }], signal())).toMatchObject({ stats: [{ version: 1 }] });
    const create = { op: 'create', path: `${path}/new`, data, acl } as const;
    expect(await client.transact('t', [create, { op: 'check', path, version: 0 }], signal())).toEqual({ failed: 1, code: -103 });
    expect(await client.stat('t', [`${path}/new`], signal())).toEqual([null]);
    expect(await client.transact('t', [create, { op: 'check', path, version: 1 }], signal())).toMatchObject({ stats: [{ version: 0 }, null] });
    const [made] = await client.stat('t', [`${path}/new`], signal());
    expect(await client.transact('t', [{ op: 'setData', path: `${path}/new`, data, version: 0 }], signal())).toMatchObject({ stats: [{ czxid: made?.czxid }] });
  });

  test('connects by TLS, with a certificate of its own, and refuses a server that it does not trust', async () => {
    const certificates = await makeCertificates();
    onTestFinished(() => certificates.remove());
    const read = (path: string) => readFile(path, 'utf8');
    const [ca, cert, key] = await Promise.all([certificates.ca, certificates.server.cert, certificates.server.key].map(read));
    const proxy = createTlsServer({ ca, cert, key, requestCert: true, rejectUnauthorized: true } as never, (down) => {
      const up = connect(server.port, '127.0.0.1');
      up.pipe(down).pipe(up);
      for (const socket of [up, down]) socket.on('error', () => undefined).on('close', () => [up, down].forEach((each) => each.destroy()));
    });
    proxy.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void proxy.close());
    const servers = [`127.0.0.1:${(proxy.address() as AddressInfo).port}`];
    const resolve = async (reference: object) => ('file' in reference ? read(String(reference.file)) : 'user:password');
    const own = { cert: { file: certificates.client.cert }, key: { file: certificates.client.key } };
    expect(await look(open({ servers, tls: { ca: { file: certificates.ca }, ...own } }, resolve))).toHaveLength(1);
    const error = await failure(look(open({ servers, tls: own }, resolve)), 'rejected');
    expect(error.message).toContain('the TLS connection failed');
  });
});
