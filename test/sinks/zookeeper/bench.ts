import { randomUUID } from 'node:crypto';
import { createCasSink } from '../../../sinks/cas/cas-sink.ts';
import { writeDocument } from '../../../sinks/leaf-document.ts';
import type { Place } from '../../../sinks/sink.ts';
import { zookeeper, type ZooKeeperFields } from '../../../sinks/zookeeper.ts';
import { aclOf, CREATOR_ALL } from '../../../sinks/zookeeper/acl.ts';
import { createClient } from '../../../sinks/zookeeper/client.ts';
import { zooKeeperCodec } from '../../../sinks/zookeeper/codec.ts';
import { createEnsemble } from '../../../sinks/zookeeper/ensemble.ts';
import { readLogin } from '../../../sinks/zookeeper/login.ts';
import { newZnodeAcl } from '../../../sinks/zookeeper/options.ts';
import { createStore } from '../../../sinks/zookeeper/store.ts';
import { childName, ledgerPath, undoPath } from '../../../sinks/zookeeper/znode-names.ts';
import { freePort } from '../../servers/free-port.ts';
import { startZooKeeper } from '../../servers/zookeeper.ts';
import { cutStore } from '../cas/cut-store.ts';
import type { Bench, Fault } from '../contract.ts';
import { startSilentServer } from '../silent-server.ts';
import { openRaw } from './raw-znodes.ts';

export const digest = 'vartrack:secret';
const CREATOR = aclOf(CREATOR_ALL);
const READABLE = aclOf([...CREATOR_ALL, { scheme: 'world', id: 'anyone', permissions: 'r' }]);

/** Strangers are of the same user, since what they make is to have the ACL of what the sink makes. */
export async function startBench(fields: ZooKeeperFields): Promise<Bench> {
  const [server, silent] = await Promise.all([startZooKeeper(), startSilentServer()]);
  let raw = await openRaw(server.address, digest, CREATOR);

  const optionsFor = (more: Readonly<Record<string, unknown>> = {}) =>
    zookeeper.options.parse({ servers: [server.address], auth: { env: 'AUTH' }, connectTimeout: '2s', requestTimeout: '5s', ...more });
  const as = (credential: string) => async () => credential;
  const place = (name: string): Place<ZooKeeperFields> => ({ name, layout: fields.layout, fields });
  const placeName = () => `/acme/${randomUUID()}/${fields.layout === 'tree' ? 'settings' : 'app.conf'}`;
  const znodesAt = async (at: Place) => {
    if (fields.layout === 'document') return [at.name];
    return (await raw.children(at.name)).filter((name) => name !== '.vartrack').map((name) => `${at.name}/${name}`);
  };

  /** A place whose ledger nobody but us may read. */
  async function locked() {
    const there = place(placeName());
    await raw.put(ledgerPath(there), 'secret');
    return there;
  }

  async function fault(which: Fault) {
    const there = which === 'wrong-credentials' || which === 'no-permission' ? await locked() : place(placeName());
    const connectAs = async (credential: string, more = {}) => ({ sink: await zookeeper.connect(optionsFor(more), as(credential)), place: there });
    switch (which) {
      case 'wrong-credentials':
        return connectAs('vartrack:wrong');
      case 'no-permission':
        return connectAs('nobody:secret');
      case 'read-only': {
        const root = fields.layout === 'tree' ? there.name : there.name.slice(0, there.name.lastIndexOf('/'));
        await raw.put(root, '', READABLE);
        return connectAs('nobody:secret');
      }
      case 'gone':
        return connectAs(digest, { servers: [`127.0.0.1:${await freePort()}`] });
      case 'silent':
        return connectAs(digest, { servers: [`127.0.0.1:${silent.port}`], connectTimeout: '500ms' });
    }
  }

  return {
    connect: () => zookeeper.connect(optionsFor(), as(digest)),
    connectCut: async (cut) => {
      const options = optionsFor();
      const store = createStore(createClient(createEnsemble(options, () => readLogin(options, as(digest)))), { chroot: '', acl: newZnodeAcl(options) });
      return createCasSink(cutStore(store, cut), zooKeeperCodec);
    },
    connectThrough: async (via) => {
      const { hostname, port } = new URL(`tcp://${server.address}`);
      const seen = await via({ host: hostname, port: Number(port) });
      return zookeeper.connect(optionsFor({ servers: [`${seen.host}:${seen.port}`] }), as(digest));
    },
    placeName,
    write: async (at, entries) => {
      if (fields.layout === 'document') {
        if (entries.length === 0) await raw.delete(at.name);
        else await raw.put(at.name, writeDocument(entries, [], fields.format));
        return;
      }
      const rendered = new Map(entries.map((entry) => zookeeper.render(entry, fields)).map(({ key, text }) => [`${at.name}/${childName(key)}`, text]));
      for (const path of await znodesAt(at)) if (!rendered.has(path)) await raw.delete(path);
      for (const [path, text] of rendered) await raw.put(path, text);
    },
    writeLedger: (at, text) => raw.put(ledgerPath(at), text),
    look: async (at) => {
      const content: (readonly [name: string, text: string, acl: readonly string[]])[] = [];
      for (const path of (await znodesAt(at)).toSorted()) {
        const found = await raw.get(path);
        if (found) content.push([path.slice(at.name.length), found.text, found.acl]);
      }
      const [ledger, undo] = await Promise.all([ledgerPath(at), undoPath(at)].map((path) => raw.get(path)));
      return { content: content.length === 0 ? null : content, ledger: ledger?.text ?? null, undo: undo?.text ?? null };
    },
    traceOfWrites: async (at) => {
      const paths = [...(await znodesAt(at)), ledgerPath(at), undoPath(at)];
      return Promise.all(paths.toSorted().map(async (path) => [path, (await raw.get(path))?.version]));
    },
    ...(fields.layout === 'document' ? { spoil: (at: Place) => raw.put(at.name, Buffer.from([0x61, 0xff, 0xfe, 0x0a])) } : {}),
    fault,
    outage: {
      begin: async () => {
        raw.close();
        await server.outage.begin();
      },
      end: async () => {
        await server.outage.end();
        // The published client may not find back by itself.
        raw = await openRaw(server.address, digest, CREATOR);
      },
    },
    stop: async () => {
      raw.close();
      await Promise.all([server.stop(), silent.stop()]);
    },
  };
}
