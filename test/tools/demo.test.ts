import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { describeWith } from '../servers/describe-with.ts';

const LIMIT_MS = 120_000;
const run = promisify(execFile);

describeWith('temporal', 'npm run demo', () => {
  let temporary: string;
  let demo: Demo | undefined;
  beforeEach(async () => {
    temporary = await mkdtemp(join(tmpdir(), 'vartrack-test-'));
  });
  afterEach(async () => {
    demo?.child.kill('SIGKILL');
    await rm(temporary, { recursive: true, force: true, maxRetries: 5 });
  });

  it(
    'shows each step as it should end with a link to its run, and with --keep takes pushes of a person, tells their end to the pusher, and ends with all it started',
    async () => {
      demo = startDemo(temporary, '--keep');
      await demo.prints(/Ctrl-C here/);
      const text = demo.output();

      const table = text.slice(text.lastIndexOf('\nstep '));
      const rows = [...table.matchAll(/^(\d) {2}.*? {2,}([0-9a-f]{7}) {2}(\w+) +(.*?) +\d+\n +(http:\S+)$/gm)].map(([, ...cells]) => cells);
      expect(rows.map(([number, , status]) => `${number} ${status}`)).toEqual([
        '1 Synced',
        '2 Synced',
        '3 Rejected',
        '4 RolledBack',
        '5 Synced',
        '6 Unchanged',
        '7 Healed',
        '8 Told',
        '9 Held',
      ]);
      expect(rows.map((cells) => cells[3])[2]).toBe('nothing written');
      expect(new Set(rows.map((cells) => cells[4])).size).toBe(7);
      expect(table).toContain('All 9 steps ended as they should.');
      expect(text).toContain('settings/production.yaml:3:19 database.maxConnections: 5000 exceeds <=200 (schemas/settings.cue:13)');
      if (!('missing' in inject('servers').redis)) expect(text).toContain('database.maxConnections 80');
      expect(text.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f]/);

      const [, url = ''] = /git clone (\S+)/.exec(demo.output()) ?? [];
      const [, files = ''] = /what was written +(\S+)/.exec(demo.output()) ?? [];

      const clone = join(temporary, 'clone');
      await run('git', ['clone', '-q', url, clone]);
      expect(await pushWorkers(clone, 1000)).toMatch(/remote: Rejected: [^]*settings\/production\.yaml:4:10 workers: 1000 exceeds <=64/);
      expect(await pushWorkers(clone, 12)).toMatch(/remote: Synced: /);
      expect(await readFile(join(files, 'production', 'checkout.env'), 'utf8')).toContain('WORKERS=12\n');

      // Temporal, api, worker and the demo itself: the look for what is left over would find them.
      if (process.platform === 'linux') expect((await processesNaming(temporary)).length).toBeGreaterThanOrEqual(4);
      demo.child.kill('SIGINT');
      const [code] = (await once(demo.child, 'close')) as [number | null];
      expect(code, demo.output()).toBe(0);
      // The repository and the files were asked to be kept.
      await rm(clone, { recursive: true });
      expect(await readdir(temporary)).toEqual([expect.stringMatching(/^vartrack-demo-/)]);
      expect(await processesNaming(temporary)).toEqual([]);
    },
    LIMIT_MS,
  );

  it(
    'ends with all it started when it is interrupted while it starts',
    async () => {
      demo = startDemo(temporary);
      await demo.prints(/^ {2}Temporal/m);
      demo.child.kill('SIGINT');
      const [code] = (await once(demo.child, 'close')) as [number | null];
      expect(code, demo.output()).toBe(130);
      expect(await readdir(temporary)).toEqual([]);
      expect(await processesNaming(temporary)).toEqual([]);
    },
    LIMIT_MS,
  );

  it('says what it takes when it is asked something else', async () => {
    demo = startDemo(temporary, '--frobnicate');
    const [code] = (await once(demo.child, 'close')) as [number | null];
    expect(code).toBe(1);
    expect(demo.output()).toMatch(/--frobnicate[^]*--keep/);
    expect(await readdir(temporary)).toEqual([]);
  });
});

interface Demo {
  readonly child: ChildProcess;
  output(): string;
  prints(pattern: RegExp): Promise<void>;
}

function startDemo(temporary: string, ...args: readonly string[]): Demo {
  const child = spawn(process.execPath, ['tools/demo.ts', ...args], {
    // A colour that is forced is refused all the same: this is no terminal.
    env: { ...process.env, TMPDIR: temporary, FORCE_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return {
    child,
    output: () => output,
    async prints(pattern) {
      await expect.poll(() => pattern.test(output) || child.exitCode !== null, { timeout: LIMIT_MS - 30_000, interval: 20 }).toBe(true);
      expect(output).toMatch(pattern);
    },
  };
}

/** Commits and pushes a number of workers for production, and gives what the pusher sees. */
async function pushWorkers(clone: string, workers: number): Promise<string> {
  const path = join(clone, 'settings', 'production.yaml');
  await writeFile(path, (await readFile(path, 'utf8')).replace(/workers: \d+/, `workers: ${workers}`));
  const author = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.com'];
  await run('git', ['-C', clone, ...author, 'commit', '-q', '-a', '-m', `${workers} workers`]);
  const { stdout, stderr } = await run('git', ['-C', clone, 'push', 'origin', 'HEAD:main']);
  return stdout + stderr;
}

/** Processes of the demo: each has its directory in its command line or in its environment. */
async function processesNaming(directory: string): Promise<string[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [command = '', environment = ''] = await Promise.all(
        ['cmdline', 'environ'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')),
      );
      return `${command}${environment}`.includes(directory) ? [command.replaceAll('\0', ' ')] : [];
    }),
  );
  return found.flat();
}
