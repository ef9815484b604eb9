import { randomUUID } from 'node:crypto';
import client from 'node-zookeeper-client';
import { zookeeper } from '../../sinks/zookeeper.ts';
import { writeDocument } from '../../sinks/leaf-document.ts';
import { startZooKeeper } from '../../test/servers/zookeeper.ts';
import { textsOfJson } from './document-texts.ts';
import { SIZES, type Kind } from './lane.ts';

export const zookeeperKind: Kind = {
  definition: zookeeper,
  lanes: [
    { destination: { layout: 'tree' }, sizes: SIZES },
    { destination: { layout: 'document', format: 'json' }, sizes: SIZES },
  ],
  start: async () => {
    const server = await startZooKeeper();
    /** By the driver. */
    const made = new Set<string>();
    return {
      address: { host: '127.0.0.1', port: server.port },
      sink: ({ host, port }) =>
        zookeeper.connect(zookeeper.options.parse({ servers: [`${host}:${port}`], auth: { env: 'AUTH' } }), async () => 'vartrack:secret'),
      bare: async ({ host, port }) => {
        const driver = client.createClient(`${host}:${port}`, { sessionTimeout: 10_000, spinDelay: 50, retries: 5 });
        driver.addAuthInfo('digest', Buffer.from('vartrack:secret'));
        const connected = Promise.withResolvers<void>();
        driver.once('connected', connected.resolve);
        driver.connect();
        await connected.promise;
        const get = (path: string) =>
          new Promise<string>((resolve, reject) => driver.getData(path, (error, data) => (error ? reject(error) : resolve(data.toString()))));
        return {
          write: async ({ name, layout }, entries) => {
            const wanted =
              layout === 'document'
                ? [{ path: name, text: writeDocument(entries, [], 'json').toString() }]
                : entries.map(({ key, text }) => ({ path: `${name}/${key}`, text }));
            if (!made.has(name)) await new Promise<void>((resolve, reject) => driver.mkdirp(name, (error) => (error ? reject(error) : resolve())));
            made.add(name);
            const transaction = driver.transaction();
            for (const { path, text } of wanted) {
              if (made.has(path)) transaction.setData(path, Buffer.from(text), -1);
              else transaction.create(path, Buffer.from(text));
              made.add(path);
            }
            await new Promise<void>((resolve, reject) => transaction.commit((error) => (error ? reject(error) : resolve())));
          },
          read: async ({ name, layout }, entries) => {
            if (layout === 'document') return textsOfJson(await get(name), entries);
            return Promise.all(entries.map(({ key }) => get(`${name}/${key}`)));
          },
          close: async () => driver.close(),
        };
      },
      placeName: () => `/bench/${randomUUID()}`,
      stop: () => server.stop(),
    };
  },
};
