import { CreateBucketCommand, DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, NoSuchKey, PutObjectCommand } from '@aws-sdk/client-s3';
import { startSeaweed } from '../seaweedfs.ts';
import type { OneSink } from './one-sink.ts';
import { startRefusingProxy } from './refusing-proxy.ts';

const DENIED = { type: 'application/xml', body: '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>' };
const Bucket = 'acme';

export async function s3Sink(): Promise<OneSink> {
  const server = await startSeaweed();
  const { client } = server;
  await client.send(new CreateBucketCommand({ Bucket }));
  const proxy = await startRefusingProxy(server.endpoint, DENIED);
  const keyOf = (environment: string): string => `${environment}/settings.json`;
  async function look(environment: string): Promise<unknown> {
    try {
      const found = await client.send(new GetObjectCommand({ Bucket, Key: keyOf(environment) }));
      return JSON.parse((await found.Body?.transformToString()) ?? '') as unknown;
    } catch (error) {
      if (error instanceof NoSuchKey) return null;
      throw error;
    }
  }
  return {
    kind: 's3',
    options: {
      endpoint: proxy.url,
      forcePathStyle: true,
      credentials: { accessKeyId: { env: 'S3_ACCESS_KEY_ID' }, secretAccessKey: { env: 'S3_SECRET_ACCESS_KEY' } },
    },
    destination: { place: `${Bucket}/{env}/settings.json` },
    credentials: { S3_ACCESS_KEY_ID: 'admin', S3_SECRET_ACCESS_KEY: 'admin-secret' },
    look,
    trace: async (environment) => {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: `${environment}/` }));
      return JSON.stringify(Contents.map(({ Key, ETag, LastModified }) => [Key, ETag, LastModified]));
    },
    edit: async (environment, changes) => {
      const values = Object.entries({ ...((await look(environment)) as object), ...changes }).filter(([, value]) => value !== null);
      await client.send(new PutObjectCommand({ Bucket, Key: keyOf(environment), Body: JSON.stringify(Object.fromEntries(values)) }));
    },
    clear: async (environment) => void (await client.send(new DeleteObjectCommand({ Bucket, Key: keyOf(environment) }))),
    loseLedger: async (environment) => void (await client.send(new DeleteObjectCommand({ Bucket, Key: `${keyOf(environment)}.vartrack.json` }))),
    refuseWrites: async () => proxy.refuseWrites(true),
    allowWrites: async () => proxy.refuseWrites(false),
    stop: async () => {
      await proxy.stop();
      await server.stop();
    },
  };
}
