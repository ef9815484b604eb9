import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { plan, planRemoval, type WritePlan } from '../../../domain/plan.ts';
import type { Place, Sink } from '../../../sinks/sink.ts';
import { zookeeper, type ZooKeeperFields } from '../../../sinks/zookeeper.ts';
import { aclOf, CREATOR_ALL, type AclOption } from '../../../sinks/zookeeper/acl.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startZooKeeper, type ZooKeeperServer } from '../../servers/zookeeper.ts';
import { contextFor, entriesOf, failure, fingerprint, owner, type Values } from '../contract/scenario.ts';
import { digest } from './bench.ts';
import { openRaw, type RawZnodes } from './raw-znodes.ts';
import { policyOf } from '../../domain/policy-of.ts';

describeWith('zookeeper', 'znodes of the zookeeper sink', () => {
  let server: ZooKeeperServer;
  let raw: RawZnodes;
  beforeAll(async () => {
    server = await startZooKeeper();
    raw = await openRaw(server.address, digest, aclOf(CREATOR_ALL));
  });
  afterAll(async () => {
    raw.close();
    await server.stop();
  });

  async function connect(options: Readonly<Record<string, unknown>> = {}): Promise<Sink> {
    const sink = await zookeeper.connect(zookeeper.options.parse({ servers: [server.address], auth: { env: 'A' }, ...options }), async () => digest);
    onTestFinished(() => sink.close());
    return sink;
  }

  test('are made with the ACL of the options, the undo record for those only who may write', async () => {
    const acl: AclOption = [...CREATOR_ALL, { scheme: 'world', id: 'anyone', permissions: 'r' }];
    const at = placeOf();
    await write(await connect({ acl }), at, { host: 'db1' });
    for (const path of [at.name, `${at.name}/host`, `${at.name}/.vartrack`])
      expect((await raw.get(path))?.acl.toSorted(), path).toEqual(['r world anyone', expect.stringMatching(/^rwcda digest vartrack:/)]);
    expect((await raw.get(`${at.name}/.vartrack/undo`))?.acl).toEqual([expect.stringMatching(/^rwcda digest vartrack:/)]);
  });

  test('are open to all without auth and acl', async () => {
    const at = placeOf(`/${randomUUID()}`);
    await write(await connect({ auth: undefined }), at, { host: 'db1' });
    expect((await raw.get(`${at.name}/host`))?.acl).toEqual(['rwcda world anyone']);
  });

  test('keep the ACL that people gave them when their data is written, and get it back when an undo makes them again', async () => {
    const at = placeOf();
    const sink = await connect();
    await write(sink, at, { host: 'db1', old: 'x' });
    const narrow = aclOf([...CREATOR_ALL, { scheme: 'ip', id: '10.0.0.0/8', permissions: 'r' }]);
    for (const name of ['host', 'old']) await raw.setAcl(`${at.name}/${name}`, narrow);
    const before = await everything(raw, at);
    await write(sink, at, { host: 'db2' });
    expect((await raw.get(`${at.name}/host`))?.acl).toContain('r ip 10.0.0.0/8');
    await sink.restore(at, 2, contextFor([]));
    expect(await everything(raw, at)).toEqual(before);
  });

  test('whose ACL cannot be seen whole are not deleted, because an undo would lock their users out', async () => {
    const at = placeOf();
    const sink = await connect();
    await write(sink, at, { host: 'db1', old: 'x' });
    const theirs = { scheme: 'digest', id: 'ops:YW55IGhhc2ggb2YgdGhlaXIgb3du', permissions: 'cdrwa' };
    await raw.setAcl(`${at.name}/old`, aclOf([theirs, { scheme: 'world', id: 'anyone', permissions: 'rw' }]));
    const error = await failure(write(sink, at, { host: 'db2' }), 'unauthorized');
    expect(error.message).toContain(`${at.name}/old cannot be deleted`);
    expect((await raw.get(`${at.name}/host`))?.text).toBe('db1');
    await write(sink, at, { host: 'db2', old: 'changed' });
    expect((await raw.get(`${at.name}/old`))?.text).toBe('changed');
  });

  test('with children that are not ours are not deleted, nothing else is written, and the message says which', async () => {
    const at = placeOf();
    const sink = await connect();
    await write(sink, at, { host: 'db1', old: 'x' });
    await raw.put(`${at.name}/old/theirs`, 'y');
    const error = await failure(write(sink, at, { host: 'db2' }), 'rejected');
    expect(error.message).toContain(`${at.name}/old: it cannot be deleted, since its znode has children`);
    expect((await raw.get(`${at.name}/host`))?.text).toBe('db1');
    expect((await raw.get(`${at.name}/old/theirs`))?.text).toBe('y');
  });

  test('above a place go with it if they were made for it and nothing else is there', async () => {
    const [top, sink] = [`/${randomUUID()}`, await connect()];
    const [one, two] = [placeOf(`${top}/team/one`), placeOf(`${top}/team/two`)];
    await write(sink, one, { host: 'db1' });
    await write(sink, two, { host: 'db1' });
    await remove(sink, two);
    expect(await raw.children(`${top}/team`)).toEqual(['one']);
    await remove(sink, one);
    expect(await raw.get(top)).toBeNull();
  });

  test('above a place stay with what is in them, and where a person made them', async () => {
    const [top, sink] = [`/${randomUUID()}`, await connect()];
    await raw.put(`${top}/theirs`, '');
    const [one, two] = [placeOf(`${top}/theirs`), placeOf(`${top}/ours`)];
    await write(sink, one, { host: 'db1' });
    await write(sink, two, { host: 'db1' });
    await raw.put(`${two.name}/stranger`, 'x');
    await remove(sink, one);
    await remove(sink, two);
    expect((await raw.children(top)).toSorted()).toEqual(['ours', 'theirs']);
    expect([await raw.children(one.name), await raw.children(two.name)]).toEqual([[], ['stranger']]);
  });

  test('of many new places below one new znode are made at the same time', async () => {
    const [top, sinks] = [`/${randomUUID()}`, await Promise.all([connect(), connect(), connect()])];
    const places = Array.from({ length: 9 }, (_, index) => placeOf(`${top}/a/b/${index}`));
    await Promise.all(places.map((at, index) => write(sinks[index % 3] as Sink, at, { host: 'db1' })));
    expect(await raw.children(`${top}/a/b`)).toHaveLength(9);
  });

  test('are below the chroot', async () => {
    const chroot = `/${randomUUID()}/deep`;
    await write(await connect({ chroot }), placeOf('/settings'), { host: 'db1' });
    expect((await raw.get(`${chroot}/settings/host`))?.text).toBe('db1');
    expect(await raw.get('/settings')).toBeNull();
  });

  test('deleted and made again by others with the same text are a conflict only for who knew more of them than the text', async () => {
    const at = { ...placeOf(), layout: 'document', fields: zookeeper.destination.parse({ layout: 'document' }) };
    const sink = await connect();
    await write(sink, at, { host: 'db1' });
    const late = await planWrite(sink, at, { host: 'db2' });
    const { text = '' } = (await raw.get(at.name)) ?? {};
    await raw.delete(at.name);
    await raw.put(at.name, text);
    await failure(sink.apply(at, late, contextFor([])), 'conflict');
  });

  test('of a write that no transaction takes are written one after the other, and undone all the same', async () => {
    const at = placeOf();
    const sink = await connect();
    const theirs = Object.fromEntries(Array.from({ length: 4 }, (_, index) => [`big${index}`, 'x'.repeat(400_000)]));
    for (const [key, text] of Object.entries(theirs)) await raw.put(`${at.name}/${key}`, text);
    const before = await everything(raw, at);
    const values = Object.fromEntries(Object.keys(theirs).map((key) => [key, 'y'.repeat(300_000)]));
    await write(sink, at, values, 'overwrite');
    expect((await raw.get(`${at.name}/big3`))?.text).toBe('y'.repeat(300_000));
    await sink.restore(at, 1, contextFor([]));
    expect(await everything(raw, at)).toEqual(before);
  });

  test('that could not be written with what an undo needs are refused before anything is', async () => {
    const at = placeOf();
    const sink = await connect();
    const noise = () => randomBytes(675_000).toString('base64');
    await raw.put(`${at.name}/one`, noise());
    await raw.put(`${at.name}/two`, noise());
    const before = await everything(raw, at);
    const error = await failure(write(sink, at, { one: 'x', two: 'x' }, 'overwrite'), 'too-large');
    expect(error.message).toContain(at.name);
    expect(await everything(raw, at)).toEqual(before);
  });

  test('of the largest state that is accepted are replaced by others in one transaction', async () => {
    const at = placeOf('/of/a/usual/length/for/a/znode/', randomUUID());
    const sink = await connect();
    const values = (name: string, count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`${name}.${index}`, randomUUID()]));
    const accepted = (count: number) =>
      zookeeper.limitProblem(
        entriesOf(values('group', count)).map((entry) => zookeeper.render(entry, at.fields)),
        at.fields,
      ) === null;
    let count = 100;
    while (accepted(count + 50)) count += 50;
    expect(count).toBeGreaterThan(500);
    await write(sink, at, values('first', count));
    const zxid = await lastTransaction(server);
    await write(sink, at, values('second', count));
    expect((await lastTransaction(server)) - zxid).toBe(1n);
  });
});

async function lastTransaction(server: ZooKeeperServer): Promise<bigint> {
  return BigInt(/Zxid: (0x[0-9a-f]+)/.exec(await server.ask('srvr'))?.[1] ?? 0);
}

function placeOf(name = `/acme/${randomUUID()}`, suffix = ''): Place<ZooKeeperFields> {
  const fields = zookeeper.destination.parse({});
  return { name: name + suffix, layout: fields.layout, fields };
}

async function planWrite(sink: Sink, at: Place<ZooKeeperFields>, values: Values, onExisting: 'refuse' | 'overwrite' = 'refuse'): Promise<WritePlan> {
  const entries = entriesOf(values).map((entry) => zookeeper.render(entry, at.fields));
  const live = await sink.read(at, contextFor(entries));
  const ownership = at.layout === 'tree' ? 'keys' : 'place';
  const made = plan({ entries, ...identity(), inputsMoved: true }, live, policyOf({ ownership, onExisting }), fingerprint);
  if (made.kind !== 'write') throw new Error(`expected a write, got ${JSON.stringify(made)}`);
  return made;
}

async function write(sink: Sink, at: Place<ZooKeeperFields>, values: Values, onExisting?: 'overwrite') {
  const made = await planWrite(sink, at, values, onExisting);
  return sink.apply(at, made, contextFor(made.entries));
}

async function remove(sink: Sink, at: Place<ZooKeeperFields>): Promise<void> {
  const made = planRemoval(identity(), await sink.read(at, contextFor([])), policyOf());
  if (made.kind !== 'write') throw new Error(`expected a removal, got ${made.kind}`);
  await sink.apply(at, made, contextFor([]));
}

function identity() {
  return { owner, stream: 'config/main', commit: 'a'.repeat(40), write: randomUUID(), at: '2026-11-24T00:00:00Z' };
}

async function everything(raw: RawZnodes, { name }: Place): Promise<unknown> {
  const names = (await raw.children(name)).filter((child) => child !== '.vartrack').toSorted();
  return Promise.all(
    names.map(async (child) => {
      const found = await raw.get(`${name}/${child}`);
      return [child, found?.text, found?.acl];
    }),
  );
}
