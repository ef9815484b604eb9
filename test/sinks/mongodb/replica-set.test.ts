import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { mongodb } from '../../../sinks/mongodb.ts';
import type { ResolveCredential, Sink } from '../../../sinks/sink.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startFerret, type FerretServer } from '../../servers/ferretdb.ts';
import { startReplicaSet, type ReplicaSet } from '../../servers/mongodb-replica-set.ts';
import type { ScramMechanism } from '../../servers/scram.ts';
import { canary, createScenarios, failure, type Scenario } from '../contract/scenario.ts';

describeWith('ferretdb', 'a replica set with users', () => {
  let server: FerretServer;
  beforeAll(async () => {
    server = await startFerret();
  });
  afterAll(() => server?.stop());

  async function start(mechanisms: readonly ScramMechanism[] = ['SCRAM-SHA-256', 'SCRAM-SHA-1']): Promise<ReplicaSet> {
    const set = await startReplicaSet(Number(new URL(server.url).port), { name: 'rs0', user: 'varTrack', password: canary, mechanisms });
    onTestFinished(() => set.stop());
    return set;
  }

  async function open(set: ReplicaSet, more: Readonly<Record<string, unknown>> = {}, resolve: ResolveCredential = async () => canary): Promise<Sink> {
    const login = { username: 'varTrack', password: { env: 'P' } };
    const options = { url: `mongodb://${set.secondary}`, replicaSet: 'rs0', ...login, batch: 50, serverSelectionTimeout: '2s', ...more };
    const sink = await mongodb.connect(mongodb.options.parse(options), resolve);
    onTestFinished(() => sink.close());
    return sink;
  }

  let places = 0;
  async function begin(sink: Sink, layout: 'document' | 'keys'): Promise<Scenario> {
    const placeName = (): string => (layout === 'keys' ? `acme/rs${++places}` : `acme/rs/${++places}`);
    const leg = { definition: mongodb, destination: { layout, names: 'plain' }, start: () => Promise.reject(new Error('it is started')) };
    return createScenarios(leg, () => ({ placeName }) as never).begin(sink);
  }

  test.each([
    ['document', ['findAndModify', 'insert']],
    ['keys', ['delete', 'insert', 'update']],
  ] as const)('is led to its primary by any member, and every write of layout %s asks for a majority', async (layout, verbs) => {
    const set = await start();
    const it = await begin(await open(set), layout);
    await it.sync({ host: 'db1', old: 1 });
    await it.sync({ host: 'db2', fresh: 2 });
    expect(new Set(set.commands.map(({ member }) => member))).toEqual(new Set([set.primary]));
    const written = set.commands.filter(({ command }) => 'writeConcern' in command).map(({ command }) => command);
    expect([...new Set(written.map((command) => Object.keys(command)[0] ?? ''))].toSorted()).toEqual(verbs);
    expect(new Set(written.map(({ writeConcern }) => JSON.stringify(writeConcern)))).toEqual(new Set([JSON.stringify({ w: 'majority', wtimeout: 15_000 })]));
    const read = set.commands.filter(({ command }) => !written.includes(command)).map(({ command }) => command);
    expect(new Set(read.map((command) => `${Object.keys(command)[0]} ${JSON.stringify(command['readConcern'])}`))).toEqual(
      new Set(['find {"level":"majority"}']),
    );
  });

  test('is written with the concern that the options name', async () => {
    const set = await start();
    const it = await begin(await open(set, { writeConcern: 2, readConcern: 'local', requestTimeout: '7s' }), 'document');
    await it.sync({ host: 'db1' });
    expect(set.commands.find(({ command }) => 'insert' in command)?.command).toMatchObject({ writeConcern: { w: 2, wtimeout: 7_000 }, maxTimeMS: 7_000 });
    expect(set.commands.find(({ command }) => 'find' in command)?.command).toMatchObject({ readConcern: { level: 'local' } });
  });

  test.each<[string, readonly ScramMechanism[], Readonly<Record<string, unknown>>, ScramMechanism]>([
    ['SCRAM-SHA-256 where both sides know it', ['SCRAM-SHA-1', 'SCRAM-SHA-256'], {}, 'SCRAM-SHA-256'],
    ['SCRAM-SHA-1 where the server knows nothing else', ['SCRAM-SHA-1'], {}, 'SCRAM-SHA-1'],
    ['what the options name', ['SCRAM-SHA-1', 'SCRAM-SHA-256'], { authMechanism: 'SCRAM-SHA-1' }, 'SCRAM-SHA-1'],
  ])('is logged in to by %s', async (_what, mechanisms, options, expected) => {
    const set = await start(mechanisms);
    await (await begin(await open(set, options), 'document')).sync({ host: 'db1' });
    expect(new Set(set.logins)).toEqual(new Set([expected]));
  });

  test('refuses a wrong password, and takes the one that is read next', async () => {
    const set = await start();
    set.setPassword('another');
    const passwords = [canary, 'another'];
    const it = await begin(await open(set, {}, async () => passwords.shift() ?? 'none left'), 'document');
    const error = await failure(it.read(), 'unauthorized');
    expect(error.message).toContain('user or password is wrong');
    await it.sync({ host: 'db1' });
  });

  test('whose name is another one is not written to, and the error says what to look at', async () => {
    const set = await start();
    const it = await begin(await open(set, { replicaSet: 'rs1', serverSelectionTimeout: '500ms' }), 'document');
    const error = await failure(it.read(), 'unavailable');
    expect(error.message).toContain('look at the set, at url and at replicaSet');
    expect(set.commands).toEqual([]);
  });

  test('that elects another primary is followed there by the next attempt', async () => {
    const set = await start();
    const it = await begin(await open(set), 'document');
    await it.sync({ host: 'db1' });
    const made = await it.planWrite({ host: 'db2' });
    set.elect();
    const error = await failure(it.apply(made), 'unavailable');
    expect(error.message).toContain('no primary at the moment');
    await expect.poll(() => it.apply(made).catch((failed: unknown) => failed), { timeout: 10_000 }).toEqual({ generation: 2, writes: 1 });
    expect(set.commands.at(-1)?.member).toBe(set.secondary);
  });

  test('of which too few have a write in time: it counts as failed, and the next attempt finds it done', async () => {
    const set = await start();
    const it = await begin(await open(set), 'document');
    const made = await it.planWrite({ host: 'db1' });
    set.lagBehind();
    const error = await failure(it.apply(made), 'unavailable');
    expect(error.message).toContain('it may be done');
    const before = set.commands.filter(({ command }) => 'writeConcern' in command).length;
    expect(await it.apply(made)).toEqual({ generation: 1, writes: 1 });
    expect(set.commands.filter(({ command }) => 'writeConcern' in command)).toHaveLength(before);
  });
});
