import { readFile } from 'node:fs/promises';
import { connect, type AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { ObjectId } from 'mongodb';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { plan, planRemoval, type Plan, type Policy, type WritePlan } from '../../../domain/plan.ts';
import { mongodb, type MongodbFields } from '../../../sinks/mongodb.ts';
import type { Place, ResolveCredential, Sink } from '../../../sinks/sink.ts';
import { makeCertificates } from '../../servers/certificates.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startFerret, type FerretServer } from '../../servers/ferretdb.ts';
import { contextFor, entriesOf, failure, fingerprint, owner, type Values } from '../contract/scenario.ts';
import { policyOf } from '../../domain/policy-of.ts';

interface Stored {
  _id: string;
  [name: string]: unknown;
}

describeWith('ferretdb', 'connections and documents of the mongodb sink', () => {
  let server: FerretServer;
  beforeAll(async () => {
    server = await startFerret();
  });
  afterAll(() => server.stop());

  const secret: ResolveCredential = async () => 'secret';
  const settings = () => server.client.db('acme').collection<Stored>('settings');

  async function open(more: Readonly<Record<string, unknown>> = {}, resolve = secret): Promise<Sink> {
    const sink = await mongodb.connect(mongodb.options.parse({ url: server.url, batch: 50, ...more }), resolve);
    onTestFinished(() => sink.close());
    return sink;
  }

  function placeOf(name: string, destination: Readonly<Record<string, unknown>> = {}): Place<MongodbFields> {
    const fields = mongodb.destination.parse(destination);
    return { name, layout: fields.layout, fields };
  }

  async function planFor(sink: Sink, place: Place<MongodbFields>, values: Values | null, policy: Partial<Policy> = {}): Promise<Plan> {
    const entries = entriesOf(values ?? {}).map((entry) => mongodb.render(entry, place.fields));
    const live = await sink.read(place, contextFor(entries));
    const { ownership = 'place' } = mongodb.layouts[place.layout] ?? {};
    const whole = policyOf({ ownership, ...policy });
    const target = { owner, stream: 'config/main', commit: 'a'.repeat(40), write: 'w', at: '2026-11-24T00:00:00.000Z' };
    return values === null ? planRemoval(target, live, whole) : plan({ ...target, entries, inputsMoved: true }, live, whole, fingerprint);
  }

  async function write(sink: Sink, place: Place<MongodbFields>, values: Values | null, policy?: Partial<Policy>): Promise<number> {
    const made = await planFor(sink, place, values, policy);
    expect(made.kind).toBe('write');
    const { generation } = await sink.apply(place, made as WritePlan, contextFor([]));
    return generation;
  }

  test('values have the types that a person would give them', async () => {
    await write(await open(), placeOf('acme/settings/types'), { host: 'db1', port: 5432, 'pool.max': 0.5, 'pool.on': true, hosts: ['a', 'b'] });
    const stored = await settings().findOne({ _id: 'types' });
    expect(stored).toMatchObject({ host: 'db1', port: 5432, pool: { max: 0.5, on: true }, hosts: ['a', 'b'] });
    expect(Object.keys(stored ?? {})).toEqual(['_id', 'host', 'port', 'pool', 'hosts', '_vartrack']);
  });

  test('a protected field of a type that no value has stays what it is beside ours', async () => {
    const sink = await open();
    const place = placeOf('acme/settings/kept');
    const id = new ObjectId();
    await write(sink, place, { host: 'db1' });
    await settings().updateOne({ _id: 'kept' }, { $set: { audit: { by: id, at: new Date(0) } } });
    const policy = { isProtected: (key: string) => key.startsWith('audit') };
    expect(await planFor(sink, place, { host: 'db1' }, policy)).toMatchObject({ kind: 'unchanged' });
    await write(sink, place, { host: 'db2' }, policy);
    expect(await settings().findOne({ _id: 'kept' })).toMatchObject({ host: 'db2', audit: { by: id, at: new Date(0) } });
  });

  test('a value of ours that somebody replaced by one of another type is drift, in both layouts', async () => {
    const sink = await open();
    const document = placeOf('acme/settings/drift');
    await write(sink, document, { host: 'db1' });
    await settings().updateOne({ _id: 'drift' }, { $set: { host: new Date(0) } });
    expect(await planFor(sink, document, { host: 'db1' })).toMatchObject({ kind: 'write', puts: [{ entry: { key: 'host' } }] });
    const keys = placeOf('acme/drift', { layout: 'keys' });
    const collection = server.client.db('acme').collection<Stored>('drift');
    await write(sink, keys, { host: 'db1' });
    await collection.updateOne({ _id: 'host' }, { $set: { value: new Date(0) } });
    expect(await planFor(sink, keys, { host: 'db1' })).toMatchObject({ kind: 'write', puts: [{ entry: { key: 'host' } }] });
    await collection.updateOne({ _id: 'host' }, { $unset: { value: true } });
    expect(await planFor(sink, keys, { host: 'db1' })).toMatchObject({ kind: 'write', puts: [{ entry: { key: 'host' } }] });
  });

  test('a document of somebody else that was overwritten and put back stays when the target is given up (I4)', async () => {
    const sink = await open();
    const place = placeOf('acme/settings/theirs');
    await settings().insertOne({ _id: 'theirs', host: 'theirs' });
    await write(sink, place, { host: 'ours' }, { onExisting: 'overwrite' });
    await sink.restore(place, 1, contextFor([]));
    await write(sink, place, null);
    expect(await settings().findOne({ _id: 'theirs' })).toEqual({ _id: 'theirs', host: 'theirs' });
  });

  test('a ledger that somebody made something else of is damaged and never absent (I3)', async () => {
    const sink = await open();
    const place = placeOf('acme/settings/damaged');
    for (const own of ['x', [], { ledger: 5 }, { ledger: null }]) {
      await settings().replaceOne({ _id: 'damaged' }, { host: 'db1', _vartrack: own }, { upsert: true });
      await failure(sink.read(place, contextFor([])), 'rejected');
    }
  });

  test('a document of a thousand fields is written and changed', async () => {
    const sink = await open();
    const place = placeOf('acme/settings/wide');
    const values = (suffix: string) => Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`key${index}`, `value ${index}${suffix}`]));
    await write(sink, place, values(''));
    await write(sink, place, values('!'));
    expect(await planFor(sink, place, values('!'))).toMatchObject({ kind: 'unchanged', generation: 2 });
  });

  test('credentials are read anew after the server refused them', async () => {
    let reads = 0;
    const sink = await open({ url: server.urls.stranger, username: 'varTrack', password: { env: 'P' }, authMechanism: 'SCRAM-SHA-256' }, async () => {
      reads++;
      return 'secret';
    });
    const place = placeOf('acme/settings/rotated');
    await failure(sink.read(place, contextFor([])), 'unauthorized');
    await failure(sink.read(place, contextFor([])), 'unauthorized');
    expect(reads).toBe(2);
  });

  test('a credential that could not be read once is asked for again', async () => {
    let reads = 0;
    const sink = await open({ username: 'varTrack', password: { env: 'P' } }, async () => {
      reads++;
      throw new Error('the environment has no P');
    });
    for (const _ of [1, 2]) expect((await failure(sink.read(placeOf('acme/settings/x'), contextFor([])), 'unavailable')).message).toContain('no P');
    expect(reads).toBe(2);
  });

  test('a server is trusted by the authority that the options name, and sees the certificate that they name', async () => {
    const certificates = await makeCertificates();
    onTestFinished(() => certificates.remove());
    const [ca, cert, key] = await Promise.all([certificates.ca, certificates.server.cert, certificates.server.key].map((path) => readFile(path, 'utf8')));
    const peers: string[] = [];
    const { port: target } = new URL(server.url);
    const secure = createServer({ cert: cert!, key: key!, ca: ca!, requestCert: true, rejectUnauthorized: true }, (socket: TLSSocket) => {
      peers.push(String(socket.getPeerCertificate().subject.CN));
      const upstream = connect({ host: '127.0.0.1', port: Number(target) });
      socket.on('error', () => upstream.destroy()).pipe(upstream);
      upstream.on('error', () => socket.destroy()).pipe(socket);
    });
    await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => new Promise<void>((resolve) => secure.close(() => resolve())));
    const url = `mongodb://127.0.0.1:${(secure.address() as AddressInfo).port}`;
    const files = { ca: { file: certificates.ca }, cert: { file: certificates.client.cert }, key: { file: certificates.client.key } };
    const fromFile: ResolveCredential = async (reference) => readFile('file' in reference ? reference.file : '', 'utf8');
    const sink = await open({ url, tls: files }, fromFile);
    expect((await sink.read(placeOf('acme/settings/tls'), contextFor([]))).exists).toBe(false);
    expect(new Set(peers)).toEqual(new Set(['client']));
    const distrustful = await open({ url, tls: {}, serverSelectionTimeout: '500ms' }, fromFile);
    expect((await failure(distrustful.read(placeOf('acme/settings/tls'), contextFor([])), 'rejected')).message).toContain('check tls.ca');
    await Promise.all([sink.close(), distrustful.close()]);
  });
});
