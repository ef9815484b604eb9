import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

import { freePort } from './free-port.ts';
import { programOf } from './program-of.ts';
import { startProcess, type ServerProcess } from './start-process.ts';

export interface SeaweedServer {
  /** `http://127.0.0.1:port`, for a client with `forcePathStyle`. */
  readonly endpoint: string;
  /** A client with all rights. `stop` destroys it. */
  readonly client: S3Client;
  stop(): Promise<void>;
  /** SIGKILL, and then the same server with its data at the same address. */
  readonly outage: { begin(): Promise<void>; end(): Promise<void> };
}

/** Access key IDs of the server; the secret of each is `<id>-secret`. */
export type SeaweedUser = 'admin' | 'reader' | 'nobody';

const ACTIONS: Readonly<Record<SeaweedUser, readonly string[]>> = {
  admin: ['Admin', 'Read', 'Write', 'List', 'Tagging'],
  reader: ['Read', 'List'],
  nobody: ['Read:another-bucket'],
};
const PORTS = ['-master.port', '-volume.port', '-filer.port', '-master.port.grpc', '-volume.port.grpc', '-filer.port.grpc', '-s3.port.grpc'] as const;
// Without the first it leaves log files in the system's folder for temporary files.
const START = [
  '-logtostderr=true',
  'server',
  '-s3',
  '-ip=127.0.0.1',
  '-ip.bind=127.0.0.1',
  '-master.volumeSizeLimitMB=64',
  '-volume.max=100',
  '-s3.port.iceberg=0',
];
const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Starts SeaweedFS with its S3 gateway on free ports of 127.0.0.1, with its data in a directory of its own. */
export async function startSeaweed(): Promise<SeaweedServer> {
  const folder = await mkdtemp(join(scratch, 'vartrack-seaweedfs-'));
  const config = join(folder, 'identities.json');
  const identities = Object.entries(ACTIONS).map(([name, actions]) => ({ name, credentials: [{ accessKey: name, secretKey: `${name}-secret` }], actions }));
  await writeFile(config, JSON.stringify({ identities }));
  const program = await programOf('seaweedfs');
  const others = await Promise.all(PORTS.map(async (name) => `${name}=${await freePort()}`));

  const start = (port?: number): Promise<ServerProcess> =>
    startProcess({
      program,
      port,
      args: (s3) => [...START, '-s3.port.lance=0', `-dir=${folder}`, `-s3.config=${config}`, `-s3.port=${s3}`, ...others],
      ready: writes,
    });
  let server = await start();
  const endpoint = `http://127.0.0.1:${server.port}`;
  const client = clientOf(endpoint);
  return {
    endpoint,
    client,
    stop: async () => {
      client.destroy();
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
    outage: {
      begin: () => server.kill(),
      end: async () => {
        server = await start(server.port);
      },
    },
  };
}

function clientOf(endpoint: string): S3Client {
  const credentials = { accessKeyId: 'admin', secretAccessKey: 'admin-secret' };
  return new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials, maxAttempts: 1 });
}

/** The gateway answers before the volume server has room for an object. */
async function writes(port: number): Promise<boolean> {
  const client = clientOf(`http://127.0.0.1:${port}`);
  const Bucket = 'readiness';
  try {
    const abortSignal = AbortSignal.timeout(5_000);
    await client.send(new CreateBucketCommand({ Bucket }), { abortSignal }).catch((error: unknown) => {
      if (!(error instanceof Error && /BucketAlready/.test(error.name))) throw error;
    });
    await client.send(new PutObjectCommand({ Bucket, Key: 'probe', Body: Buffer.from('x') }), { abortSignal });
    return true;
  } finally {
    client.destroy();
  }
}
