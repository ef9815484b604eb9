import zookeeper from 'node-zookeeper-client';
import { formatAcl, type AclEntry } from '../../../sinks/zookeeper/acl.ts';

export interface RawZnode {
  readonly text: string;
  /** As an undo record has it. */
  readonly acl: readonly string[];
  /** Another one after every change of the data. */
  readonly version: string;
}

/** What a person sees and does, as a digest user, through another client than the sink's. */
export interface RawZnodes {
  get(path: string): Promise<RawZnode | null>;
  /** Names of the children; none where there is no znode. */
  children(path: string): Promise<readonly string[]>;
  /** Makes the znode, and those above it, or changes its data. */
  put(path: string, data: Buffer | string, acl?: readonly AclEntry[]): Promise<void>;
  setAcl(path: string, acl: readonly AclEntry[]): Promise<void>;
  /** With all that is below it. */
  delete(path: string): Promise<void>;
  close(): void;
}

type Callback<Reply> = (error: Error | zookeeper.Exception | null, reply: Reply) => void;

/** For as long as the server is there. */
export async function openRaw(address: string, digest: string, newAcl: readonly AclEntry[]): Promise<RawZnodes> {
  const client = zookeeper.createClient(address, { sessionTimeout: 10_000, spinDelay: 50, retries: 5 });
  client.addAuthInfo('digest', Buffer.from(digest));
  await new Promise<void>((resolve) => {
    client.once('connected', resolve);
    client.connect();
  });

  const raw: RawZnodes = {
    get: async (path) => {
      const found = await nullIfAbsent(
        call<{ data: Buffer | undefined; stat: zookeeper.Stat }>((done) => client.getData(path, (error, data, stat) => done(error, { data, stat }))),
      );
      if (!found) return null;
      const acl = await call<readonly { permission: number; id: zookeeper.Id }[]>((done) => client.getACL(path, (error, acls) => done(error, acls as never)));
      return {
        text: (found.data ?? Buffer.alloc(0)).toString('latin1'),
        acl: formatAcl(acl.map(({ permission, id }) => ({ permissions: permission, scheme: id.scheme, id: id.id }))),
        version: `${found.stat.mzxid.toString('hex')} ${found.stat.version}`,
      };
    },
    children: async (path) => (await nullIfAbsent(call<string[]>((done) => client.getChildren(path, done)))) ?? [],
    put: async (path, data, acl = newAcl) => {
      const body = Buffer.from(data);
      const exists = (await nullIfAbsent(call((done) => client.exists(path, done)))) !== null;
      if (exists) return void (await call((done) => client.setData(path, body, done)));
      const parent = path.slice(0, path.lastIndexOf('/'));
      if (parent !== '' && (await raw.get(parent)) === null) await raw.put(parent, '');
      await call((done) => client.create(path, body, aclsOf(acl), zookeeper.CreateMode.PERSISTENT, done));
    },
    setAcl: async (path, acl) => void (await call((done) => client.setACL(path, aclsOf(acl), done))),
    delete: async (path) => {
      for (const child of await raw.children(path)) await raw.delete(`${path}/${child}`);
      await nullIfAbsent(call<void>((done) => client.remove(path, (error) => done(error, undefined))));
    },
    close: () => client.close(),
  };
  return raw;
}

function call<Reply>(begin: (done: Callback<Reply>) => void): Promise<Reply> {
  return new Promise((resolve, reject) => begin((error, reply) => (error ? reject(error) : resolve(reply))));
}

/** `exists` gives nothing for a znode that is not there, the others fail. */
async function nullIfAbsent<Reply>(reply: Promise<Reply>): Promise<Reply | null> {
  try {
    return (await reply) ?? null;
  } catch (error) {
    if ((error as { code?: number }).code === zookeeper.Exception.NO_NODE) return null;
    throw error;
  }
}

function aclsOf(acl: readonly AclEntry[]): zookeeper.ACL[] {
  return acl.map(({ permissions, scheme, id }) => new zookeeper.ACL(permissions, new zookeeper.Id(scheme, id)));
}
