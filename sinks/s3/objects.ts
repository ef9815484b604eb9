import type * as Sdk from '@aws-sdk/client-s3';
import type { GetObjectCommandOutput, S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { abortable } from '../abortable.ts';
import { SinkError } from '../errors.ts';
import type { S3Options } from './options.ts';
import { s3Error } from './s3-error.ts';

/** What else belongs to an object and is put back with it. Names are those of the SDK's `PutObject`. */
export interface Attributes {
  readonly ContentType?: string;
  readonly CacheControl?: string;
  readonly ContentDisposition?: string;
  readonly ContentEncoding?: string;
  readonly ContentLanguage?: string;
  readonly WebsiteRedirectLocation?: string;
  readonly StorageClass?: string;
  /** HTTP date. */
  readonly Expires?: string;
  readonly Metadata?: Readonly<Record<string, string>>;
  /** Query string, `name=value&…`. */
  readonly Tagging?: string;
}

export interface StoredObject {
  readonly body: Buffer;
  readonly etag: string;
  readonly attributes: Attributes;
}

/** The few calls that the sink makes, each one request (`get` of a tagged object: two). They throw SinkError; every write is conditional. */
export interface Objects {
  /** Null where there is none. Throws `too-large` above `maxBytes`. */
  get(at: Address, maxBytes: number, signal: AbortSignal): Promise<StoredObject | null>;
  /** The ETag now; null where there is none. */
  etag(at: Address, signal: AbortSignal): Promise<string | null>;
  /** Replaces the object with that ETag, or makes one where there is none (`null`); else throws `conflict`. Gives the new ETag. */
  put(at: Address, expected: string | null, body: Buffer, attributes: Attributes, signal: AbortSignal): Promise<string>;
  /** Deletes the object with that ETag, else throws `conflict`. */
  delete(at: Address, expected: string, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface Address {
  readonly bucket: string;
  readonly key: string;
}

const READ_ATTEMPTS = 3;

/** The SDK's client. It is made when it is first needed, and its library loaded. */
export function createObjects(options: S3Options, config: () => Promise<S3ClientConfig>): Objects {
  const closing = new AbortController();
  const clients: S3Client[] = [];
  let library: Promise<Clients> | undefined;

  async function open(): Promise<Clients> {
    const [sdk, settings] = await Promise.all([import('@aws-sdk/client-s3'), config()]);
    // A conditional write is never repeated by the SDK: if the first one arrived and its answer did not, the second looks like a conflict.
    const [reader, writer] = [READ_ATTEMPTS, 1].map((maxAttempts) => new sdk.S3Client({ ...settings, maxAttempts }));
    if (!reader || !writer) throw new Error('two clients were made');
    clients.push(reader, writer);
    return { sdk, reader, writer };
  }

  async function run<Reply>(at: Address, signal: AbortSignal, call: (clients: Clients, options: CallOptions) => Promise<Reply>): Promise<Reply> {
    const label = `s3 ${at.bucket}/${at.key}`;
    const stop = AbortSignal.any([signal, closing.signal]);
    const refuse = (): SinkError =>
      new SinkError('unavailable', `${label}: ${closing.signal.aborted ? 'the sink was closed' : 'the call was cancelled, or ran out of time'}`);
    try {
      // Credentials of the SDK's own chain are fetched without a signal.
      return await abortable(stop, refuse, () => {
        library ??= open().catch((error: unknown) => {
          library = undefined;
          throw error;
        });
        const limit = AbortSignal.any([stop, AbortSignal.timeout(options.connectTimeout + options.requestTimeout * READ_ATTEMPTS)]);
        return library.then((each) => call(each, { abortSignal: limit }));
      });
    } catch (error) {
      throw s3Error(label, error);
    }
  }

  const encryption = encryptionFields(options);
  const checksum = options.checksums === 'sha256';

  return {
    get: (at, maxBytes, signal) =>
      run(at, signal, async ({ sdk, reader }, call) => {
        const where = { Bucket: at.bucket, Key: at.key };
        const found = await reader.send(new sdk.GetObjectCommand({ ...where, ...(checksum ? { ChecksumMode: 'ENABLED' } : {}) }), call).catch(nullIfAbsent);
        if (found === null) return null;
        if ((found.ContentLength ?? 0) > maxBytes) {
          await found.Body?.transformToWebStream().cancel();
          throw new SinkError('too-large', `s3 ${at.bucket}/${at.key}: the object has ${found.ContentLength} bytes, above the limit of ${maxBytes}`);
        }
        const body = Buffer.from((await found.Body?.transformToByteArray()) ?? []);
        const tags = found.TagCount ? (await reader.send(new sdk.GetObjectTaggingCommand(where), call)).TagSet : [];
        if (found.ETag === undefined || found.ContentLength !== body.length) throw new Error('the answer is not complete');
        return { body, etag: found.ETag, attributes: attributesOf(found, tags ?? []) };
      }),

    etag: (at, signal) =>
      run(at, signal, async ({ sdk, reader }, call) => {
        const found = await reader.send(new sdk.HeadObjectCommand({ Bucket: at.bucket, Key: at.key }), call).catch(nullIfAbsent);
        return found === null ? null : (found.ETag ?? '');
      }),

    put: (at, expected, body, { Expires, ...attributes }, signal) =>
      run(at, signal, async ({ sdk, writer }, call) => {
        const command = new sdk.PutObjectCommand({
          Bucket: at.bucket,
          Key: at.key,
          Body: body,
          ...(expected === null ? { IfNoneMatch: '*' } : { IfMatch: expected }),
          ...(attributes as object),
          ...(Expires === undefined ? {} : { Expires: new Date(Expires) }),
          ...encryption,
          ...(checksum ? { ChecksumAlgorithm: 'SHA256' } : {}),
        });
        const { ETag } = await writer.send(command, call);
        if (ETag === undefined) throw new Error('the answer has no ETag');
        return ETag;
      }),

    delete: (at, expected, signal) =>
      run(at, signal, async ({ sdk, writer }, call) => {
        await writer.send(new sdk.DeleteObjectCommand({ Bucket: at.bucket, Key: at.key, IfMatch: expected }), call);
      }),

    close: async () => {
      closing.abort();
      await library?.catch(() => undefined);
      for (const client of clients.splice(0)) client.destroy();
    },
  };
}

interface Clients {
  readonly sdk: typeof Sdk;
  readonly reader: S3Client;
  readonly writer: S3Client;
}

interface CallOptions {
  readonly abortSignal: AbortSignal;
}

/** Absent only by its own name: a bucket that is not there and a key that we may not see (403) are failures (I3). */
function nullIfAbsent(error: unknown): null {
  if (error instanceof Error && (error.name === 'NoSuchKey' || error.name === 'NotFound')) return null;
  throw error;
}

function attributesOf(found: GetObjectCommandOutput, tags: readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[]): Attributes {
  const { ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, WebsiteRedirectLocation, StorageClass, Metadata } = found;
  const Expires = found.ExpiresString;
  const Tagging = tags.length === 0 ? undefined : tags.map(({ Key = '', Value = '' }) => `${encodeURIComponent(Key)}=${encodeURIComponent(Value)}`).join('&');
  const headers = { ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, WebsiteRedirectLocation, StorageClass, Expires, Tagging };
  const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
  return Metadata && Object.keys(Metadata).length > 0 ? { ...given, Metadata } : given;
}

function encryptionFields({ encryption }: S3Options): object {
  if (encryption === undefined) return {};
  if (encryption.type === 'AES256') return { ServerSideEncryption: 'AES256' };
  return {
    ServerSideEncryption: 'aws:kms',
    BucketKeyEnabled: encryption.bucketKey,
    ...(encryption.keyId === undefined ? {} : { SSEKMSKeyId: encryption.keyId }),
  };
}
