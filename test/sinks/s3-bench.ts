import { randomUUID } from 'node:crypto';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterAll } from 'vitest';
import { createCasSink } from '../../sinks/cas/cas-sink.ts';
import { contentTypeOf, writeDocument } from '../../sinks/leaf-document.ts';
import { s3 } from '../../sinks/s3.ts';
import { s3Codec } from '../../sinks/s3/codec.ts';
import { createObjectStore } from '../../sinks/s3/object-store.ts';
import { createObjects } from '../../sinks/s3/objects.ts';
import { clientConfig } from '../../sinks/s3/options.ts';
import { entryName, isReserved, placeNames } from '../../sinks/s3/place-names.ts';
import type { Place } from '../../sinks/sink.ts';
import { freePort } from '../servers/free-port.ts';
import { startSeaweed, type SeaweedServer } from '../servers/seaweedfs.ts';
import { cutStore } from './cas/cut-store.ts';
import type { Bench, ContractLeg, Fault } from './contract.ts';
import { startSilentServer } from './silent-server.ts';

/** One server for all legs of a file, each with a bucket of its own: it takes seconds to start. */
export function shareSeaweed(): () => Promise<SeaweedServer> {
  let server: Promise<SeaweedServer> | undefined;
  afterAll(async () => (await server)?.stop());
  return () => (server ??= startSeaweed());
}

/** SeaweedFS takes 15 s to come back, and neither the layout, the format nor versions make a difference there. */
export const stagedElsewhere = { outage: 'staged for json', silent: 'staged for json and keys' } as const;

export function s3Leg(server: () => Promise<SeaweedServer>, leg: Omit<ContractLeg, 'definition' | 'start'>, versions: Versions = 'not kept'): ContractLeg {
  return { cuts: true, ...leg, definition: s3, start: async () => startBench(await server(), leg.destination, versions) };
}

type Versions = 'kept' | 'not kept';

async function startBench(server: SeaweedServer, destination: ContractLeg['destination'], versions: Versions): Promise<Bench> {
  const fields = s3.destination.parse(destination);
  const Bucket = `config-${randomUUID()}`;
  const silent = await startSilentServer();
  const raw = rawAccess(server, Bucket);
  await server.client.send(new CreateBucketCommand({ Bucket }));
  if (versions === 'kept') await server.client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));

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
    stop: () => silent.stop(),
  };
}

/** What somebody with all rights sees and does, without the sink. */
export function rawAccess({ client }: SeaweedServer, Bucket: string) {
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
