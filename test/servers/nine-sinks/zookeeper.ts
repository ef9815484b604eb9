import { aclOf, CREATOR_ALL } from '../../../sinks/zookeeper/acl.ts';
import { openRaw } from '../../sinks/zookeeper/raw-znodes.ts';
import { startZooKeeper } from '../zookeeper.ts';
import type { OneSink } from './one-sink.ts';

const LOGIN = 'vartrack:zookeeper-secret';
const READ_ONLY = aclOf([{ scheme: 'auth', id: '', permissions: 'ra' }]);

export async function zookeeperSink(): Promise<OneSink> {
  const server = await startZooKeeper();
  const raw = await openRaw(server.address, LOGIN, aclOf(CREATOR_ALL));
  const rootOf = (environment: string): string => `/acme/${environment}/settings`;

  async function below(path: string): Promise<readonly string[]> {
    const children = (await raw.children(path)).toSorted();
    return (await Promise.all(children.map(async (name) => [`${path}/${name}`, ...(await below(`${path}/${name}`))]))).flat();
  }
  async function setAcl(environment: string, acl: typeof READ_ONLY): Promise<void> {
    for (const path of [rootOf(environment), ...(await below(rootOf(environment)))]) await raw.setAcl(path, acl);
  }
  return {
    kind: 'zookeeper',
    options: { servers: [server.address], auth: { env: 'ZOOKEEPER_AUTH' } },
    destination: { place: rootOf('{env}') },
    credentials: { ZOOKEEPER_AUTH: LOGIN },
    look: async (environment) => {
      const names = (await raw.children(rootOf(environment))).filter((name) => name !== '.vartrack').toSorted();
      const pairs = await Promise.all(names.map(async (name) => [name, (await raw.get(`${rootOf(environment)}/${name}`))?.text] as const));
      return pairs.length === 0 ? null : Object.fromEntries(pairs);
    },
    trace: async (environment) => {
      const paths = await below(rootOf(environment));
      return JSON.stringify(await Promise.all(paths.map(async (path) => [path, (await raw.get(path))?.version])));
    },
    edit: async (environment, changes) => {
      for (const [key, text] of Object.entries(changes)) {
        const path = `${rootOf(environment)}/${key}`;
        if (text === null) await raw.delete(path);
        else await raw.put(path, text);
      }
    },
    clear: (environment) => raw.delete(rootOf(environment)),
    loseLedger: (environment) => raw.delete(`${rootOf(environment)}/.vartrack`),
    refuseWrites: (environment) => setAcl(environment, READ_ONLY),
    allowWrites: (environment) => setAcl(environment, aclOf(CREATOR_ALL)),
    stop: async () => {
      raw.close();
      await server.stop();
    },
  };
}
