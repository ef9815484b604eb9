import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeCertificates } from '../../servers/certificates.ts';
import { copyChart } from './chart-folder.ts';

export interface ChartRegistry {
  /** `127.0.0.1:port`; it speaks TLS only. */
  readonly host: string;
  /** `oci://…` of the chart, whose version is 1.3.0. */
  readonly chart: string;
  /** PEM file of the authority to trust. */
  readonly ca: string;
  /** How often the archive was given out. */
  served(): number;
  stop(): Promise<void>;
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** The reading half of an OCI registry, with the tests' chart in it, for who logs in as `reader` with this password. */
export async function startChartRegistry(program: string, password: string): Promise<ChartRegistry> {
  const [archive, certificates] = await Promise.all([packChart(program), makeCertificates()]);
  const config = Buffer.from(JSON.stringify({ name: 'demo', version: '1.3.0', apiVersion: 'v2' }));
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: descriptorOf('application/vnd.cncf.helm.config.v1+json', config),
      layers: [descriptorOf('application/vnd.cncf.helm.chart.content.v1.tar+gzip', archive)],
    }),
  );
  const blobs = new Map([config, manifest, archive].map((body) => [digestOf(body), body]));
  let served = 0;
  const [cert, key] = await Promise.all([readFile(certificates.server.cert), readFile(certificates.server.key)]);
  const server = createServer({ cert, key }, (request, response) => {
    if (request.headers.authorization !== `Basic ${Buffer.from(`reader:${password}`).toString('base64')}`) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="charts"' }).end();
      return;
    }
    const [, kind, reference = ''] = /^\/v2\/charts\/demo\/(manifests|blobs)\/(.+)$/.exec(request.url ?? '') ?? [];
    const body = kind === 'manifests' && reference === '1.3.0' ? manifest : blobs.get(reference);
    if (!body) {
      response.writeHead(404, { 'content-type': 'application/json' }).end(JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN' }] }));
      return;
    }
    if (body === archive && request.method === 'GET') served++;
    const type = kind === 'manifests' ? MANIFEST : 'application/octet-stream';
    response.writeHead(200, { 'content-type': type, 'content-length': body.length, 'docker-content-digest': digestOf(body) });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    chart: `oci://${host}/charts/demo`,
    ca: certificates.ca,
    served: () => served,
    stop: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await certificates.remove();
    },
  };
}

async function packChart(program: string): Promise<Buffer> {
  const chart = await copyChart();
  try {
    await chart.write('Chart.yaml', 'apiVersion: v2\nname: demo\nversion: 1.3.0\n');
    const env = { PATH: process.env['PATH'], HOME: chart.path };
    await promisify(execFile)(program, ['package', chart.path, '--destination', chart.path], { env });
    return await readFile(join(chart.path, 'demo-1.3.0.tgz'));
  } finally {
    await chart.remove();
  }
}

function descriptorOf(mediaType: string, body: Buffer) {
  return { mediaType, digest: digestOf(body), size: body.length };
}

function digestOf(body: Buffer): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}
