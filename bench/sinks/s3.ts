import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import pLimit from 'p-limit';
import { s3 } from '../../sinks/s3.ts';
import { writeDocument } from '../../sinks/leaf-document.ts';
import { startSeaweed } from '../../test/servers/seaweedfs.ts';
import { textsOfJson } from './document-texts.ts';
import { SIZES, type Kind } from './lane.ts';

const Bucket = 'bench';

export const s3Kind: Kind = {
  definition: s3,
  lanes: ['object', 'keys'].map((layout) => ({ destination: { layout }, sizes: SIZES })),
  start: async () => {
    const server = await startSeaweed();
    await server.client.send(new CreateBucketCommand({ Bucket }));
    const credentials = { accessKeyId: 'admin', secretAccessKey: 'admin-secret' };
    return {
      address: { host: '127.0.0.1', port: Number(new URL(server.endpoint).port) },
      sink: ({ host, port }) => {
        const named = { accessKeyId: { env: 'I' }, secretAccessKey: { env: 'S' } };
        const options = s3.options.parse({ endpoint: `http://${host}:${port}`, forcePathStyle: true, credentials: named });
        return s3.connect(options, async (reference) => ('env' in reference && reference.env === 'I' ? 'admin' : 'admin-secret'));
      },
      bare: async ({ host, port }) => {
        const client = new S3Client({ endpoint: `http://${host}:${port}`, region: 'us-east-1', forcePathStyle: true, credentials });
        const limit = pLimit(32);
        const get = async (Key: string): Promise<string> =>
          Buffer.from((await (await client.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToByteArray()) ?? []).toString();
        const put = async (Key: string, Body: Buffer) => client.send(new PutObjectCommand({ Bucket, Key, Body }));
        const keyOf = (name: string): string => name.slice(Bucket.length + 1);
        return {
          write: async ({ name, layout }, entries) => {
            if (layout === 'object') await put(keyOf(name), writeDocument(entries, [], 'json'));
            else await Promise.all(entries.map(({ key, text }) => limit(() => put(keyOf(name) + key, Buffer.from(text)))));
          },
          read: async ({ name, layout }, entries) => {
            if (layout === 'object') return textsOfJson(await get(keyOf(name)), entries);
            return Promise.all(entries.map(({ key }) => limit(() => get(keyOf(name) + key))));
          },
          close: async () => client.destroy(),
        };
      },
      placeName: (layout) => `${Bucket}/${randomUUID()}${layout === 'keys' ? '/' : '.json'}`,
      stop: () => server.stop(),
    };
  },
};
