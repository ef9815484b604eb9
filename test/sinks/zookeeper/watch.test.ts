import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import type { Place } from '../../../sinks/sink.ts';
import { zookeeper } from '../../../sinks/zookeeper.ts';
import { aclOf, CREATOR_ALL } from '../../../sinks/zookeeper/acl.ts';
import { bytes, int, long } from '../../../sinks/zookeeper/wire.ts';
import { ledgerPath, undoPath } from '../../../sinks/zookeeper/znode-names.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startZooKeeper, type ZooKeeperServer } from '../../servers/zookeeper.ts';
import { failure } from '../contract/scenario.ts';
import { digest } from './bench.ts';
import { openRaw } from './raw-znodes.ts';

const placeOf = (layout: 'tree' | 'document', name: string): Place => ({ name, layout, fields: { layout, format: 'json' } });

async function connect(server: string, more: Readonly<Record<string, unknown>> = {}) {
  const options = zookeeper.options.parse({ servers: [server], auth: { env: 'A' }, connectTimeout: '2s', ...more });
  const sink = await zookeeper.connect(options, async () => digest);
  onTestFinished(() => sink.close());
  if (!sink.watch) throw new Error('zookeeper notifies');
  return sink as Required<typeof sink>;
}

/** What is told, from when it stands; the first call for each place is left out. */
async function watch(sink: Awaited<ReturnType<typeof connect>>, places: readonly Place[]) {
  const told: string[] = [];
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  const ended = sink.watch(places, ({ name }) => told.push(name), abort.signal);
  await Promise.race([ended, vi.waitUntil(() => told.length === places.length, { timeout: 5_000, interval: 5 })]);
  told.splice(0);
  return { told, ended };
}

describeWith('zookeeper', 'how zookeeper tells of changes', () => {
  let server: ZooKeeperServer;
  beforeAll(async () => {
    server = await startZooKeeper();
  });
  afterAll(() => server.stop());

  test.each(['', '/tenants/acme'])('tells of what is below a place and of nothing beside it, with the chroot %j', async (chroot) => {
    const raw = await openRaw(server.address, digest, aclOf(CREATOR_ALL));
    onTestFinished(() => raw.close());
    const folder = `/${randomUUID()}`;
    const [tree, document, fence] = [placeOf('tree', `${folder}/app`), placeOf('document', `${folder}/app.json`), placeOf('tree', `${folder}/fence`)];
    const { told } = await watch(await connect(server.address, chroot === '' ? {} : { chroot }), [tree, document, fence]);
    for (const place of [tree, document]) {
      await raw.put(chroot + ledgerPath(place), '{}');
      await raw.put(chroot + undoPath(place), '{}');
    }
    // The root of a tree came to be with its ledger, which is a change of the place.
    told.splice(0);
    for (const beside of [`${folder}/app2/host`, `${folder}/app.json2`, `${folder}/app.jso`]) await raw.put(chroot + beside, '1');
    await raw.put(`${chroot}${tree.name}/host`, 'db1');
    await raw.put(chroot + document.name, '{}');
    await raw.delete(`${chroot}${tree.name}/host`);
    await raw.put(`${chroot}${fence.name}/host`, '1');
    await expect.poll(() => told, { interval: 5 }).toContain(fence.name);
    expect(told.filter((name) => name !== fence.name)).toEqual([tree.name, document.name, tree.name]);
  });

  test('fails when the server has been silent for as long as a session lasts', async () => {
    const { ended } = await watch(await connect(server.address, { sessionTimeout: '400ms' }), [placeOf('tree', '/acme/silent')]);
    server.freeze();
    try {
      expect((await failure(ended, 'unavailable')).message).toContain('the session has expired');
    } finally {
      server.resume();
    }
  });
});

test('a server that does not know persistent watches is polled, and says which one does', async () => {
  const sockets = new Set<Socket>();
  const old = createServer((socket) => {
    sockets.add(socket);
    let isConnected = false;
    socket.on('data', (message) => {
      // Each request of this session comes before the answer to the one before, so that all are refused by the xid that they begin with.
      if (!isConnected) socket.write(bytes(Buffer.concat([int(0), int(10_000), long(1n), bytes(Buffer.alloc(16))])));
      else for (let at = 0; at < message.length; at += 4 + message.readInt32BE(at)) socket.write(refusal(message.readInt32BE(at + 4)));
      isConnected = true;
    });
  });
  const refusal = (xid: number): Buffer => bytes(Buffer.concat([int(xid), long(0n), int(xid === -4 ? 0 : -6)]));
  old.listen(0, '127.0.0.1');
  await once(old, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => old.close(resolve));
  });
  const sink = await connect(`127.0.0.1:${(old.address() as AddressInfo).port}`);
  const { message } = await failure(
    sink.watch([placeOf('tree', '/acme/app')], () => undefined, AbortSignal.timeout(5_000)),
    'unsupported',
  );
  expect(message).toContain('polled');
  expect(message).toContain('3.6');
});
