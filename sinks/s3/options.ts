import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { z } from 'zod';
import type { CredentialReference } from '../../domain/bundle.ts';
import { credentialReference } from '../../schemas/credential-reference.ts';
import { duration } from '../../schemas/duration.ts';
import { readCredential } from '../read-credential.ts';
import type { ResolveCredential } from '../sink.ts';

const endpoint = z
  .string()
  .refine(isEndpoint, { error: 'write http(s)://host:port, without path, query, user or password; credentials have a field of their own' });

export const s3Options = z
  .strictObject({
    region: z
      .string()
      .regex(/^[a-z0-9-]+$/, 'a region such as eu-central-1')
      .default('us-east-1'),
    endpoint: endpoint.optional().describe('Address of a server that speaks S3; Amazon’s of the region if absent'),
    forcePathStyle: z.boolean().default(false).describe('host/bucket/key instead of bucket.host/key; most servers other than Amazon’s need it'),
    credentials: z
      .strictObject({ accessKeyId: credentialReference, secretAccessKey: credentialReference, sessionToken: credentialReference.optional() })
      .optional()
      .describe('If absent: what the AWS SDK finds (environment, web identity, container, instance)'),
    ca: credentialReference.optional().describe('PEM certificates to trust instead of the system’s'),
    encryption: z
      .discriminatedUnion('type', [
        z.strictObject({ type: z.literal('AES256') }),
        z.strictObject({ type: z.literal('aws:kms'), keyId: z.string().min(1).optional(), bucketKey: z.boolean().default(true) }),
      ])
      .optional()
      .describe('Server-side encryption of all that is written, ledger and undo record too; if absent, what the bucket is set to'),
    checksums: z.enum(['sha256', 'off']).default('sha256').describe('off: for servers that refuse the checksum headers'),
    connectTimeout: duration.default(5_000),
    requestTimeout: duration.default(30_000).describe('For one request, from the connection to the last byte'),
  })
  .refine((options) => options.ca === undefined || options.endpoint?.startsWith('https:') === true, { path: ['ca'], error: 'ca needs an https:// endpoint' });

export type S3Options = z.output<typeof s3Options>;

// The SDK asks again five minutes before the end: a credential that was rotated is picked up that soon.
const CREDENTIALS_FOR_MS = 10 * 60_000;

/** What the SDK's client needs; credentials are read when it asks for them. */
export async function clientConfig(options: S3Options, resolve: ResolveCredential): Promise<S3ClientConfig> {
  const { credentials, connectTimeout, requestTimeout, region, forcePathStyle } = options;
  const read = (reference: CredentialReference): Promise<string> => readCredential(`s3 ${systemOf(options)}`, resolve, reference);
  const provider = credentials && {
    credentials: async () => ({
      accessKeyId: await read(credentials.accessKeyId),
      secretAccessKey: await read(credentials.secretAccessKey),
      ...(credentials.sessionToken ? { sessionToken: await read(credentials.sessionToken) } : {}),
      expiration: new Date(Date.now() + CREDENTIALS_FOR_MS),
    }),
  };
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS };
  return {
    region,
    forcePathStyle,
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...provider,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: options.checksums === 'sha256' ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: connectTimeout,
      requestTimeout,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: options.ca === undefined ? agent : { ...agent, ca: await read(options.ca) },
    },
  };
}

export function systemOf(options: S3Options): string {
  // Bucket names of Amazon are one name space, whatever the region.
  return options.endpoint?.replace(/\/$/, '') ?? 'aws';
}

const MAX_SOCKETS = 64;

function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.search === '' && url.hash === '' && url.pathname === '/';
}
