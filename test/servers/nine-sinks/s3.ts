import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, NoSuchKey } from '@aws-sdk/client-s3';
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
  return {
    kind: 's3',
    options: {
      endpoint: proxy.url,
      forcePathStyle: true,
      credentials: { accessKeyId: { env: 'S3_ACCESS_KEY_ID' }, secretAccessKey: { env: 'S3_SECRET_ACCESS_KEY' } },
    },
    destination: { place: `${Bucket}/{env}/settings.json` },
    credentials: { S3_ACCESS_KEY_ID: 'admin', S3_SECRET_ACCESS_KEY: 'admin-secret' },
    look: async (environment) => {
      try {
        const found = await client.send(new GetObjectCommand({ Bucket, Key: `${environment}/settings.json` }));
        return JSON.parse((await found.Body?.transformToString()) ?? '') as unknown;
      } catch (error) {
        if (error instanceof NoSuchKey) return null;
        throw error;
      }
    },
    trace: async (environment) => {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: `${environment}/` }));
      return JSON.stringify(Contents.map(({ Key, ETag, LastModified }) => [Key, ETag, LastModified]));
    },
    refuseWrites: async () => proxy.refuseWrites(true),
    allowWrites: async () => proxy.refuseWrites(false),
    stop: async () => {
      await proxy.stop();
      await server.stop();
    },
  };
}
