import type { ChildProcess } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRepository, type TestRepository } from '../product/stack.ts';
import { describeWith } from '../servers/describe-with.ts';
import { freePort } from '../servers/free-port.ts';
import { collect, startVartrack } from './vartrack.ts';

const SECRET = 'dev-webhook-secret';
const WITHIN = { timeout: 90_000, interval: 200 };

describeWith('temporal', 'vartrack dev', () => {
  let directory: string;
  let repository: TestRepository;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'vartrack-dev-'));
    await mkdir(join(directory, 'files'));
    repository = await createRepository(join(directory, 'repository'));
    await writeFile(
      join(directory, 'vartrack.yaml'),
      `apiVersion: vartrack.dev/v1
settings: { allowFileRepositories: true }
tenants:
  acme:
    repositories: { config: { provider: generic, url: "${repository.url}", webhookSecret: { env: DEV_SECRET }, poll: off } }
    sinks: { files: { kind: linux, transport: local, root: "${directory}/files" } }
    rules:
      settings:
        from: { repository: config, files: [settings.yaml] }
        environments: { branches: { main: production } }
        schema: none
        to: [{ sink: files, place: "${directory}/files/{env}.env" }]
`,
    );
  });
  afterAll(() => rm(directory, { recursive: true }));

  interface Dev {
    readonly child: ChildProcess;
    readonly url: string;
    readonly port: number;
    readonly ui: string;
    output(): string;
    ended(): Promise<number | null>;
  }

  async function startDev(): Promise<Dev> {
    const [port, temporalPort, uiPort, metricsPort] = [await freePort(), await freePort(), await freePort(), await freePort()];
    const args = ['dev', '--port', String(port), '--temporal-port', String(temporalPort), '--ui-port', String(uiPort)];
    const child = startVartrack([...args, '--bundle', join(directory, 'vartrack.yaml')], {
      DEV_SECRET: SECRET,
      VARTRACK_METRICS_PORT: String(metricsPort),
      VARTRACK_CACHE_DIR: join(directory, 'cache'),
    });
    const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
    const closed = once(child, 'close') as Promise<[number | null]>;
    return {
      child,
      port,
      ui: `http://127.0.0.1:${uiPort}`,
      url: `http://127.0.0.1:${port}`,
      output: () => stdout() + stderr(),
      ended: async () => (await closed)[0],
    };
  }

  const isUp = (url: string): Promise<boolean> =>
    fetch(url).then(
      () => true,
      () => false,
    );

  it('takes a push to its file, and stops everything on Ctrl-C', { timeout: 150_000 }, async () => {
    const dev = await startDev();
    try {
      await expect.poll(() => dev.output(), WITHIN).toMatch(/worker +\| worker is polling/);
      await expect.poll(() => isUp(dev.url), WITHIN).toBe(true);
      const commit = await repository.commit({ 'settings.yaml': 'name: developed\n' });
      const body = JSON.stringify({ repository: repository.url, ref: 'refs/heads/main', commit });
      const headers = {
        'content-type': 'application/json',
        'x-signature': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
        'x-delivery': 'one',
      };
      await expect.poll(async () => (await fetch(`${dev.url}/webhooks/acme/config`, { method: 'POST', headers, body })).status, WITHIN).toBeLessThan(203);
      await expect.poll(() => readFile(join(directory, 'files/production.env'), 'utf8').catch(() => ''), WITHIN).toContain('developed');
      expect(dev.output()).toMatch(/api +\| api is listening/);
      expect(dev.output()).not.toContain(SECRET);
      expect(await isUp(dev.ui)).toBe(true);
    } finally {
      dev.child.kill('SIGINT');
    }
    expect(await dev.ended()).toBe(0);
    expect(await isUp(dev.url)).toBe(false);
    expect(await isUp(dev.ui)).toBe(false);
  });

  it('ends everything when one process dies, with its last lines', { timeout: 150_000 }, async () => {
    const taken = await startDev();
    try {
      await expect.poll(() => isUp(taken.url), WITHIN).toBe(true);
      // A second one finds the port of the api taken.
      const second = startVartrack(
        [
          'dev',
          '--port',
          String(taken.port),
          '--temporal-port',
          String(await freePort()),
          '--ui-port',
          String(await freePort()),
          '--bundle',
          join(directory, 'vartrack.yaml'),
        ],
        { DEV_SECRET: SECRET, VARTRACK_METRICS_PORT: String(await freePort()), VARTRACK_CACHE_DIR: join(directory, 'cache') },
      );
      const stderr = collect(second.stderr);
      const [exitCode] = (await once(second, 'close')) as [number | null];
      expect(exitCode).toBe(5);
      expect(stderr()).toMatch(/api ended by itself \(exit code 1\); its last lines:\n[\s\S]*EADDRINUSE/);
    } finally {
      taken.child.kill('SIGTERM');
      await taken.ended();
    }
  });

  // Without it only macOS is left, where a killed program's children go on.
  it.runIf(existsSync('/usr/bin/setpriv') || existsSync('/bin/setpriv'))('leaves nothing behind when it is killed', { timeout: 150_000 }, async () => {
    const dev = await startDev();
    await expect.poll(() => isUp(dev.url), WITHIN).toBe(true);
    dev.child.kill('SIGKILL');
    await expect.poll(async () => (await isUp(dev.url)) || (await isUp(dev.ui)), WITHIN).toBe(false);
  });
});
