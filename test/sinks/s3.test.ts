import { randomUUID } from 'node:crypto';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  CreateBucketCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { Place } from '../../sinks/sink.ts';
import { s3, type S3Fields } from '../../sinks/s3.ts';
import { contentTypeOf, writeDocument } from '../../sinks/s3/document.ts';
import { createObjects, type Objects } from '../../sinks/s3/objects.ts';
import { clientConfig } from '../../sinks/s3/options.ts';
import { entryName, isReserved, placeNames } from '../../sinks/s3/place-names.ts';
import { createStore } from '../../sinks/s3/store.ts';
import { describeWith } from '../servers/describe-with.ts';
import { freePort } from '../servers/free-port.ts';
import { startSeaweed, type SeaweedServer } from '../servers/seaweedfs.ts';
import { describeSinkContract, type Bench, type ContractLeg, type Fault } from './contract.ts';
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

const legs: Readonly<Record<string, Omit<ContractLeg, 'definition' | 'start'>>> = {
  json: { destination: { format: 'json' } },
  yaml: { destination: { format: 'yaml' } },
  env: { destination: { format: 'env' }, refuses: refusedByEnv },
  properties: { destination: { format: 'properties' } },
  // The parser of TOML that gives positions matches a string by one regular expression, which takes about 100,000 characters.
  toml: { destination: { format: 'toml' }, large: { characters: 50_000 } },
  // Each key is a request of some milliseconds: 10,000 of them, written four times and read ten times, are minutes on a small machine.
  keys: { destination: { layout: 'keys' }, large: { keys: 500 } },
  'keys, versioned': { destination: { layout: 'keys' }, large: { keys: 100 } },
  'json, versioned': { destination: { format: 'json' } },
};

describeWith('seaweedfs', 'the s3 sink', () => {
  for (const [name, leg] of Object.entries(legs)) {
    const into = name.endsWith('versioned') ? versioned : bucket;
    describeSinkContract(name, { ...leg, definition: s3, cuts: true, start: () => startBench(s3.destination.parse(leg.destination), into) });
  }
});

async function startBench(fields: S3Fields, Bucket: string): Promise<Bench> {
  const [server, silent] = await Promise.all([startSeaweed(), startSilentServer()]);
  const raw = rawAccess(server, Bucket);
  await server.client.send(new CreateBucketCommand({ Bucket }));
  if (Bucket === versioned) await server.client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));

  const optionsFor = (more: Readonly<Record<string, unknown>> = {}) =>
    s3.options.parse({
      ...{ endpoint: server.endpoint, forcePathStyle: true, credentials: { accessKeyId: { env: 'I' }, secretAccessKey: { env: 'S' } } },
      ...{ connectTimeout: '1s', requestTimeout: '10s' },
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
        return { sink: await s3.connect(optionsFor({ endpoint: `http://127.0.0.1:${silent.port}`, requestTimeout: '1s' }), as('admin')), place: there };
    }
  }

  return {
    connect: () => s3.connect(optionsFor(), as('admin')),
    connectCut: async (cut) => {
      const objects = createObjects(optionsFor(), () => clientConfig(optionsFor(), as('admin')));
      const wrapped: Objects = {
        get: (...args) => cut(() => objects.get(...args)),
        etag: (...args) => cut(() => objects.etag(...args)),
        put: (...args) => cut(() => objects.put(...args)),
        delete: (...args) => cut(() => objects.delete(...args)),
        close: () => objects.close(),
      };
      return createStore(wrapped);
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
