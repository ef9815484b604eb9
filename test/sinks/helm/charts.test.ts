import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { helm } from '../../../sinks/helm.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { contextFor, failure } from '../contract/scenario.ts';
import { credentialsOf, optionsFor } from './bench.ts';
import { copyChart } from './chart-folder.ts';
import { scriptAround, startStage, type Stage } from './stage.ts';

describeWith(['etcd', 'kube-apiserver', 'helm4'], 'a chart of a repository', () => {
  let stage: Stage;
  let repository: Repository;
  beforeAll(async () => {
    stage = await startStage('helm4');
    repository = await startRepository(stage);
  });
  afterAll(async () => {
    await repository?.stop();
    await stage?.stop();
  });

  const chart = (version: string) => ({ chart: { repository: repository.url, name: 'demo', version } });
  const connect = (password: string, program = stage.servers.program) =>
    helm.connect(
      optionsFor({ ...stage.servers, program }, { charts: { [repository.url]: { username: 'reader', password: { env: 'CHARTS' } } } }),
      async (reference) => ('env' in reference && reference.env === 'CHARTS' ? password : credentialsOf(stage.servers.kubernetes, 'admin')(reference)),
    );

  test('is fetched once for a connection, with a login that is in no argument and does not stay', async () => {
    const script = await scriptAround(stage.servers.program, 'echo "$@" >> "$DIR/args"\nexec "$HELM" "$@"');
    const it = await stage.begin(chart('1.2.0'));
    const sink = await connect('right horse', script.path);
    try {
      const before = repository.served();
      await it.apply(await it.planWrite({ host: 'db1' }), sink);
      await it.apply(await it.planWrite({ host: 'db2' }), sink);
      expect(repository.served() - before).toBe(1);
      expect((await it.look()).content).toMatchObject({ made: { name: 'demo', version: '1.2.0' } });
      expect(await it.plan({ host: 'db2' }, { inputsMoved: false })).toEqual({ kind: 'unchanged', generation: 2 });
      expect(await readFile(join(script.folder, 'args'), 'utf8')).not.toContain('right horse');
      expect(await filesWith('right horse')).toEqual([]);
    } finally {
      await sink.close();
    }
  });

  test.each([
    ['whose login is refused', 'wrong horse', '1.2.0', 'unauthorized'],
    ['that has no such version', 'right horse', '9.9.9', 'rejected'],
  ] as const)('%s changes nothing', async (_what, password, version, reason) => {
    const it = await stage.begin(chart(version));
    const sink = await connect(password);
    try {
      const error = await failure(sink.apply(it.place, await it.planWrite({ host: 'db1' }), contextFor([])), reason);
      expect(error.message).toContain(`demo of ${repository.url} ${version}`);
      expect(error.message).not.toContain('horse');
      expect((await it.look()).content).toBeNull();
    } finally {
      await sink.close();
    }
  });
});

interface Repository {
  readonly url: string;
  /** How often the archive was given out. */
  served(): number;
  stop(): Promise<void>;
}

async function startRepository({ servers }: Stage): Promise<Repository> {
  const chart = await copyChart();
  await chart.write('Chart.yaml', 'apiVersion: v2\nname: demo\nversion: 1.2.0\n');
  const env = { PATH: process.env['PATH'], HOME: chart.path };
  await promisify(execFile)(servers.program, ['package', chart.path, '--destination', chart.path], { env });
  const archive = await readFile(join(chart.path, 'demo-1.2.0.tgz'));
  await chart.remove();
  let served = 0;
  const server: Server = createServer((request, response) => {
    if (request.headers.authorization !== `Basic ${Buffer.from('reader:right horse').toString('base64')}`) response.writeHead(401).end();
    else if (request.url === '/index.yaml') response.end(JSON.stringify({ apiVersion: 'v1', entries: { demo: [entry] } }));
    else {
      served++;
      response.end(archive);
    }
  });
  const entry = { apiVersion: 'v2', name: 'demo', version: '1.2.0', urls: ['demo-1.2.0.tgz'] };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    served: () => served,
    stop: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Files of the sink's scratch directories that hold a text. */
async function filesWith(text: string): Promise<readonly string[]> {
  const scratch = (await readdir('/dev/shm')).filter((name) => name.startsWith('vartrack-helm-') && name.includes(`-${process.pid}-`));
  expect(scratch.length).toBeGreaterThan(0);
  const found = await Promise.all(
    scratch.map(async (name) => (await readdir(join('/dev/shm', name), { recursive: true, withFileTypes: true })).filter((file) => file.isFile())),
  );
  const files = found.flat().map((file) => join(file.parentPath, file.name));
  const texts = await Promise.all(files.map((file) => readFile(file, 'latin1')));
  return files.filter((_, index) => texts[index]?.includes(text));
}
