import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { createGitHost, type GitHost, type HostCommand } from '../../../clients/git/git-host.ts';

const signal = new AbortController().signal;
const env = { PATH: process.env['PATH'] ?? '' };
const version: HostCommand = { args: ['version'], env, timeoutMs: 30_000, maxOutputBytes: 1_000 };
/** Runs until it is ended; known among the processes by its number. */
const endless = (): { name: string; command: HostCommand } => {
  const name = `sleep ${randomInt(1e6, 1e9)}`;
  return { name, command: { ...version, args: ['-c', `alias.wait=!${name}`, 'wait'] } };
};
const hosts: GitHost[] = [];
const workers: ChildProcess[] = [];

function open(): GitHost {
  const host = createGitHost();
  hosts.push(host);
  return host;
}

afterEach(async () => {
  for (const worker of workers.splice(0)) worker.kill('SIGKILL');
  await Promise.all(hosts.splice(0).map((host) => host.close()));
});

function processes(ending: string): number[] {
  const lines = execFileSync('ps', ['-eo', 'pid,ppid,args'], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line.endsWith(ending)).map((line) => Number(line.trim().split(/\s+/)[0]));
}

function hostOf(parent: number | undefined): number {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  const found = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('host-process.ts'));
  if (found === undefined) throw new Error(`process ${parent} has no host`);
  return found;
}

it('gives what git says, and its exit code', async () => {
  const host = open();
  expect(Buffer.from((await host.run(version, signal)).stdout).toString()).toMatch(/^git version/);
  expect(await host.run({ ...version, args: ['no-such-command'] }, signal)).toMatchObject({ end: 'exit', code: 1 });
});

it('gives binary output and input whole', async () => {
  const input = 'ünï\n'.repeat(100_000);
  const { stdout } = await open().run({ ...version, args: ['-c', 'alias.echo=!cat', 'echo'], input, maxOutputBytes: 1 << 20 }, signal);
  expect(Buffer.from(stdout).toString()).toBe(input);
});

it('ends a command that is cancelled, with all that runs under it', async () => {
  const { name, command } = endless();
  const controller = new AbortController();
  const running = open().run(command, controller.signal);
  await expect.poll(() => processes(name).length, { timeout: 10_000 }).toBeGreaterThan(0);
  controller.abort();
  expect((await running).code).not.toBe(0);
  await expect.poll(() => processes(name), { timeout: 10_000 }).toEqual([]);
});

it('says that git is unavailable when its process dies, and starts another for the next command', async () => {
  const { name, command } = endless();
  const host = open();
  const waiting = host.run(command, signal);
  const ended = waiting.then(
    () => undefined,
    (error: unknown) => error,
  );
  await expect.poll(() => processes(name).length, { timeout: 10_000 }).toBeGreaterThan(0);
  process.kill(hostOf(process.pid), 'SIGKILL');
  expect(await ended).toMatchObject({ name: 'GitError', reason: 'unavailable' });
  for (const pid of processes(name)) process.kill(pid);
  expect((await host.run(version, signal)).code).toBe(0);
});

it('leaves no process behind when the process that it works for is killed', async () => {
  const { name, command } = endless();
  const module = new URL('../../../clients/git/git-host.ts', import.meta.url).href;
  const program = `
    import { createGitHost } from ${JSON.stringify(module)};
    await createGitHost().run(${JSON.stringify(command)}, new AbortController().signal);
  `;
  const worker = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'ignore' });
  workers.push(worker);
  await expect.poll(() => processes(name).length, { timeout: 20_000 }).toBeGreaterThan(0);
  const host = hostOf(worker.pid);
  const ended = once(worker, 'exit');
  worker.kill('SIGKILL');
  await ended;
  await expect.poll(() => processes(name), { timeout: 10_000 }).toEqual([]);
  await expect.poll(() => processes('host-process.ts').includes(host), { timeout: 10_000 }).toBe(false);
});
