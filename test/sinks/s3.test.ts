import { randomUUID } from 'node:crypto';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { plan, type WritePlan } from '../../domain/plan.ts';
import { createCasSink } from '../../sinks/cas/cas-sink.ts';
import type { Place, Sink } from '../../sinks/sink.ts';
import { s3, type S3Fields } from '../../sinks/s3.ts';
import { contentTypeOf, writeDocument } from '../../sinks/leaf-document.ts';
import { s3Codec } from '../../sinks/s3/codec.ts';
import { createObjectStore } from '../../sinks/s3/object-store.ts';
import { createObjects } from '../../sinks/s3/objects.ts';
import { clientConfig } from '../../sinks/s3/options.ts';
import { entryName, isReserved, placeNames } from '../../sinks/s3/place-names.ts';
import { describeWith } from '../servers/describe-with.ts';
import { freePort } from '../servers/free-port.ts';
import { startSeaweed, type SeaweedServer } from '../servers/seaweedfs.ts';
import { describeSinkContract, type Bench, type ContractLeg, type Fault } from './contract.ts';
import { contextFor, entriesOf, failure, fingerprint, owner, type Values } from './contract/scenario.ts';
import { cutStore } from './cas/cut-store.ts';
import { startSilentServer } from './silent-server.ts';

const bucket = 'config';
const versioned = 'config-versioned';
const refusedByEnv = [
  'a value with line breaks',
  'a value with quotes',
  'a key with a space',
  'a key with quotes',
  'a key with a backslash',
  'a key with signs',
  'a key in another script',
  'a key that is a number',
];

/** SeaweedFS takes 15 s to come back, and none of this depends on the format or on versions. */
const cannot = { outage: 'staged for json and keys', silent: 'staged for json and keys' } as const;

const legs: Readonly<Record<string, Omit<ContractLeg, 'definition' | 'start'>>> = {
  json: { destination: { format: 'json' }, cuts: true, faults: true },
  yaml: { destination: { format: 'yaml' }, cannot },
  env: { destination: { format: 'env' }, refuses: refusedByEnv, cannot },
  properties: { destination: { format: 'properties' }, cannot },
  // The parser of TOML that gives positions matches a string by one regular expression, which takes about 100,000 characters.
  toml: { destination: { format: 'toml' }, large: { characters: 50_000 }, cannot },
  // Each key is a request of some milliseconds: 10,000 of them, written four times and read ten times, are minutes on a small machine.
  keys: { destination: { layout: 'keys' }, large: { keys: 500 }, cuts: true, faults: true },
  'keys, versioned': { destination: { layout: 'keys' }, large: { keys: 100 }, cuts: true, cannot },
  'json, versioned': { destination: { format: 'json' }, cannot },
};

describeWith('seaweedfs', 'the s3 sink', () => {
  for (const [name, leg] of Object.entries(legs)) {
    const into = name.endsWith('versioned') ? versioned : bucket;
    describeSinkContract(name, { ...leg, definition: s3, start: () => startBench(s3.destination.parse(leg.destination), into) });
  }

  describe('what belongs to an object beside its content', () => {
    let server: SeaweedServer;
    beforeAll(async () => {
      server = await startSeaweed();
      await server.client.send(new CreateBucketCommand({ Bucket: bucket }));
    });
    afterAll(() => server.stop());

    test('stays as people set it, where the destination says nothing, and comes back with an undo', async () => {
      const sink = await connectTo(server);
      const at = placeOf({}, 'kept.json');
      const people = { ContentType: 'application/vnd.acme+json', CacheControl: 'max-age=60', Metadata: { team: 'blue' }, Tagging: 'cost%20center=a%26b' };
      await server.client.send(new PutObjectCommand({ Bucket: bucket, Key: 'kept.json', Body: Buffer.from('{"host":"theirs"}'), ...people }));
      const before = await everythingOf(server, 'kept.json');
      await sink.apply(at, await planWrite(sink, at, { host: 'ours' }), contextFor([]));
      expect(await everythingOf(server, 'kept.json')).toEqual({ ...before, text: '{\n  "host": "ours"\n}\n' });
      await sink.restore(at, 1, contextFor([]));
      expect(await everythingOf(server, 'kept.json')).toEqual(before);
      await sink.close();
    });

    test('is what the destination says, and what was there before comes back with an undo', async () => {
      const sink = await connectTo(server);
      const at = placeOf({ cacheControl: 'no-store', tags: { 'cost center': 'ours' } }, 'ours.json');
      await server.client.send(new PutObjectCommand({ Bucket: bucket, Key: 'ours.json', Body: Buffer.from('{}'), CacheControl: 'max-age=60', Tagging: 'a=b' }));
      const before = await everythingOf(server, 'ours.json');
      await sink.apply(at, await planWrite(sink, at, { host: 'ours' }), contextFor([]));
      expect(await everythingOf(server, 'ours.json')).toMatchObject({
        ContentType: 'application/json',
        CacheControl: 'no-store',
        tags: [{ Key: 'cost center', Value: 'ours' }],
      });
      await sink.restore(at, 1, contextFor([]));
      expect(await everythingOf(server, 'ours.json')).toEqual(before);
      await sink.close();
    });

    test('a bucket that is not there is neither an absent place nor a place to write', async () => {
      const sink = await connectTo(server);
      const at = { ...placeOf({}, ''), name: 'nowhere/app.json' };
      const error = await failure(sink.read(at, contextFor([])), 'rejected');
      expect(error.message).toContain('there is no such bucket');
      await sink.close();
    });
  });
});

async function startBench(fields: S3Fields, Bucket: string): Promise<Bench> {
  const [server, silent] = await Promise.all([startSeaweed(), startSilentServer()]);
  const raw = rawAccess(server, Bucket);
  await server.client.send(new CreateBucketCommand({ Bucket }));
  if (Bucket === versioned) await server.client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));

  const optionsFor = (more: Readonly<Record<string, unknown>> = {}) =>
    s3.options.parse({
      endpoint: server.endpoint,
      forcePathStyle: true,
      credentials: { accessKeyId: { env: 'I' }, secretAccessKey: { env: 'S' } },
      connectTimeout: '1s',
      requestTimeout: '10s',
      ...more,
    });
  const as =
    (user: string, secret = `${user}-secret`) =>
    async (reference: object) =>
      'env' in reference && reference.env === 'I' ? user : secret;
  const place = (name: string): Place => ({ name, layout: fields.layout, fields });
  const placeName = () => (fields.layout === 'keys' ? `${Bucket}/acme/${randomUUID()}/` : `${Bucket}/acme/${randomUUID()}/app.conf`);
  const namesAt = async (name: string) => (await raw.list(name)).filter((key) => (fields.layout === 'keys' ? !isReserved(key) : key === name));

  async function fault(which: Fault) {
    const there = place(placeName());
    switch (which) {
      case 'wrong-credentials':
        return { sink: await s3.connect(optionsFor(), as('admin', 'wrong')), place: there };
      case 'no-permission':
        return { sink: await s3.connect(optionsFor(), as('nobody')), place: there };
      case 'read-only':
        return { sink: await s3.connect(optionsFor(), as('reader')), place: there };
      case 'gone':
        return { sink: await s3.connect(optionsFor({ endpoint: `http://127.0.0.1:${await freePort()}` }), as('admin')), place: there };
      case 'silent':
        return { sink: await s3.connect(optionsFor({ endpoint: `http://127.0.0.1:${silent.port}`, requestTimeout: '500ms' }), as('admin')), place: there };
    }
  }

  return {
    connect: () => s3.connect(optionsFor(), as('admin')),
    connectCut: async (cut) => {
      const store = createObjectStore(createObjects(optionsFor(), () => clientConfig(optionsFor(), as('admin'))));
      return createCasSink(cutStore(store, cut), s3Codec);
    },
    connectThrough: async (via) => {
      const { host, port } = await via({ host: '127.0.0.1', port: Number(new URL(server.endpoint).port) });
      return s3.connect(optionsFor({ endpoint: `http://${host}:${port}` }), as('admin'));
    },
    placeName,
    write: async (at, entries) => {
      const { name } = placeNames(at.name);
      if (fields.layout === 'object') {
        if (entries.length === 0) await raw.delete(name);
        else await raw.put(name, writeDocument(entries, [], fields.format), contentTypeOf(fields.format));
        return;
      }
      const rendered = new Map(entries.map((entry) => s3.render(entry, fields)).map(({ key, text }) => [name + entryName(key), text]));
      for (const key of await namesAt(name)) if (!rendered.has(key)) await raw.delete(key);
      for (const [key, text] of rendered) await raw.put(key, Buffer.from(text), 'text/plain; charset=utf-8');
    },
    writeLedger: (at, text) => raw.put(placeNames(at.name).ledger, Buffer.from(text), 'application/json'),
    look: async (at) => {
      const names = placeNames(at.name);
      const content = await Promise.all((await namesAt(names.name)).map(async (key) => [key.slice(names.name.length), await raw.get(key)] as const));
      const [ledger, undo] = await Promise.all([raw.get(names.ledger), raw.get(names.undo)]);
      return { content: content.length === 0 ? null : content, ledger: ledger?.text ?? null, undo: undo?.text ?? null };
    },
    traceOfWrites: async (at) => {
      const { name } = placeNames(at.name);
      return server.client
        .send(new ListObjectsV2Command({ Bucket, Prefix: name }))
        .then(({ Contents = [] }) => Contents.map((each) => [each.Key, each.LastModified, each.ETag]));
    },
    ...(fields.layout === 'object'
      ? { spoil: (at: Place) => raw.put(placeNames(at.name).name, Buffer.from([0x61, 0xff, 0xfe, 0x0a]), 'application/octet-stream') }
      : {}),
    fault,
    outage: server.outage,
    stop: async () => {
      await Promise.all([server.stop(), silent.stop()]);
    },
  };
}

function connectTo(server: SeaweedServer): Promise<Sink> {
  const credentials = { accessKeyId: { env: 'I' }, secretAccessKey: { env: 'S' } };
  const options = s3.options.parse({ endpoint: server.endpoint, forcePathStyle: true, credentials });
  return s3.connect(options, async (reference) => ('env' in reference && reference.env === 'I' ? 'admin' : 'admin-secret'));
}

function placeOf(destination: Readonly<Record<string, unknown>>, key: string): Place<S3Fields> {
  const fields = s3.destination.parse(destination);
  return { name: `${bucket}/${key}`, layout: fields.layout, fields };
}

async function planWrite(sink: Sink, at: Place<S3Fields>, values: Values): Promise<WritePlan> {
  const entries = entriesOf(values).map((entry) => s3.render(entry, at.fields));
  const live = await sink.read(at, contextFor(entries));
  const desired = { entries, owner, stream: 'config/main', commit: 'a'.repeat(40), inputsMoved: true, write: randomUUID(), at: '2026-11-24T00:00:00Z' };
  const policy = { ownership: 'place', prune: true, isProtected: () => false, maxDeletes: null, deletesAllowed: false, inherits: () => false } as const;
  const made = plan(desired, live, { ...policy, onExisting: 'overwrite' }, fingerprint);
  if (made.kind !== 'write') throw new Error(`expected a write, got ${made.kind}`);
  return made;
}

async function everythingOf(server: SeaweedServer, Key: string) {
  const found = await rawAccess(server, bucket).get(Key);
  const { TagSet: tags } = await server.client.send(new GetObjectTaggingCommand({ Bucket: bucket, Key }));
  return { ...found, tags };
}

/** What somebody with all rights sees and does, without the sink. */
function rawAccess({ client }: SeaweedServer, Bucket: string) {
  return {
    put: async (Key: string, Body: Buffer, ContentType: string): Promise<void> => {
      await client.send(new PutObjectCommand({ Bucket, Key, Body, ContentType }));
    },
    delete: async (Key: string): Promise<void> => {
      await client.send(new DeleteObjectCommand({ Bucket, Key }));
    },
    get: async (Key: string) => {
      const found = await client.send(new GetObjectCommand({ Bucket, Key })).catch((error: unknown) => {
        if (error instanceof Error && error.name === 'NoSuchKey') return null;
        throw error;
      });
      if (!found) return null;
      const { ContentType, Metadata, CacheControl, StorageClass } = found;
      const text = Buffer.from((await found.Body?.transformToByteArray()) ?? []).toString('latin1');
      return { text, ContentType, Metadata, CacheControl, StorageClass };
    },
    list: async (Prefix: string): Promise<readonly string[]> => {
      const keys: string[] = [];
      for (let ContinuationToken: string | undefined; ;) {
        const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix, ...(ContinuationToken ? { ContinuationToken } : {}) }));
        keys.push(...(page.Contents ?? []).flatMap((each) => each.Key ?? []));
        if (!page.NextContinuationToken) return keys;
        ContinuationToken = page.NextContinuationToken;
      }
    },
  };
}
