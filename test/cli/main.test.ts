import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { EXIT_OF_STATUS, exitCodes } from '../../cli/exit-codes.ts';
import { freePort } from '../servers/free-port.ts';
import { vartrack } from './vartrack.ts';

// Each test starts several processes.
vi.setConfig({ testTimeout: 90_000 });

const BUNDLE = `apiVersion: vartrack.dev/v1
tenants:
  acme:
    repositories: { config: { provider: github, url: https://github.com/acme/config.git } }
    sinks: { cache: { kind: redis, url: "redis://cache:6379/0", password: { env: ACME_REDIS } } }
    rules:
      settings:
        from: { repository: config, files: [base.yaml] }
        environments: { branches: { main: production, develop: staging } }
        schema: none
        to: [{ sink: cache, place: "acme:{env}" }]
`;

describe('vartrack', () => {
  let directory: string;
  let bundle: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'vartrack-cli-'));
    bundle = join(directory, 'vartrack.yaml');
    await writeFile(bundle, BUNDLE);
  });
  afterAll(() => rm(directory, { recursive: true }));

  it('shows its commands and exit codes', async () => {
    const { exitCode, stdout } = await vartrack(['--help']);
    expect(exitCode).toBe(0);
    for (const command of ['check', 'plan', 'sync', 'status', 'pause', 'resume', 'api', 'worker', 'dev'])
      expect(stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
    for (const { code, meaning } of Object.values(exitCodes)) expect(stdout).toContain(`  ${code}  ${meaning}`);
  });

  it('is documented, with each exit code', async () => {
    const text = await readFile(join(import.meta.dirname, '../../docs/cli.md'), 'utf8');
    for (const { code, meaning } of Object.values(exitCodes)) expect(text.replaceAll('`', '')).toContain(`| ${code} | ${meaning} |`);
    for (const [status, exit] of Object.entries(EXIT_OF_STATUS)) expect(text).toMatch(new RegExp(`^\\| ${exitCodes[exit].code} .*\`${status}\``, 'm'));
  });

  it('refuses what it does not know', async () => {
    expect(await vartrack(['frobnicate'])).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("unknown command 'frobnicate'") });
    expect(await vartrack(['sync', 'acme', 'config', '--pull-request', 'x'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('not a positive number'),
    });
    expect(await vartrack(['dev', '--port', '99999'])).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('not a port') });
  });

  it('checks the bundle that is named, or that of the environment', async () => {
    expect(await vartrack(['check', bundle])).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('valid: 1 tenant'), stderr: '' });
    const broken = join(directory, 'broken.yaml');
    await writeFile(broken, BUNDLE.replace('github,', 'hub,'));
    const { exitCode, stdout } = await vartrack(['check', '--json'], { VARTRACK_BUNDLE: broken });
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ valid: false, problems: [{ origin: { line: 4 } }] });
  });

  it('names the address of a Temporal server that is not there, and shows no stack', async () => {
    const port = await freePort();
    const { exitCode, stdout, stderr } = await vartrack(['status', '--json', '--bundle', bundle], { TEMPORAL_ADDRESS: `127.0.0.1:${port}` });
    expect(exitCode).toBe(6);
    expect(stderr).toContain(`Temporal is not reachable at 127.0.0.1:${port}`);
    expect(stderr).toContain('TEMPORAL_ADDRESS');
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { exitCode: 6 } });
  });

  it('shows the stack with --debug', async () => {
    const { stderr } = await vartrack(['status', '--debug', '--bundle', join(directory, 'absent.yaml')]);
    expect(stderr).toMatch(/the bundle cannot be read \(ENOENT\)[\s\S]*\n {4}at /);
  });

  it('asks which branch is meant where there are several', async () => {
    const { exitCode, stderr } = await vartrack(['sync', 'acme', 'config', '--bundle', bundle]);
    expect(exitCode).toBe(1);
    expect(stderr).toBe('vartrack: which branch of repository config? The rules take branch main, branch develop\n');
    expect((await vartrack(['sync', 'acme', 'config', 'main', '--tag', 'v1', '--bundle', bundle])).stderr).toContain('name one of them');
  });

  it('names a wrong environment variable and not its value', async () => {
    const { exitCode, stderr } = await vartrack(['status', '--bundle', bundle], { VARTRACK_CODEC_KEY: 'c2VjcmV0LWtleQ==' });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('VARTRACK_CODEC_KEY');
    expect(stderr).not.toContain('c2Vj');
  });

  it('ends the api and the worker that cannot start, saying why', async () => {
    const absent = { VARTRACK_BUNDLE: join(directory, 'absent.yaml'), VARTRACK_METRICS_PORT: '0' };
    for (const command of ['api', 'worker']) {
      expect(await vartrack([command], absent)).toMatchObject({
        exitCode: 2,
        stderr: expect.stringMatching(/^vartrack: .*absent\.yaml: the bundle cannot be read/),
      });
    }
    const port = await freePort();
    const alone = {
      VARTRACK_BUNDLE: bundle,
      VARTRACK_METRICS_PORT: String(await freePort()),
      VARTRACK_CACHE_DIR: directory,
      TEMPORAL_ADDRESS: `127.0.0.1:${port}`,
    };
    expect(await vartrack(['worker'], alone)).toMatchObject({ exitCode: 6, stderr: expect.stringContaining(`127.0.0.1:${port}`) });
  });
});
