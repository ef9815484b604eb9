import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';

import { expect, test, vi } from 'vitest';

import { freePort } from './free-port.ts';
import { startProcess } from './start-process.ts';

const LISTEN = "require('node:net').createServer().listen({ port: Number(process.argv[1]), host: '127.0.0.1' })";

test('a server that ends at once fails with what it printed', async () => {
  const starting = startProcess({ program: process.execPath, args: () => ['-e', 'console.error("no licence"); process.exit(3)'], ready: accepts });
  await expect(starting).rejects.toThrow(/ended at once \(3\)[^]*no licence/);
});

test('a program that does not exist fails with its name', async () => {
  await expect(startProcess({ program: '/nowhere/server', args: () => [], ready: accepts })).rejects.toThrow('/nowhere/server');
});

test('a port that was taken in the meantime is answered with another one', async () => {
  const taken = createServer().listen({ port: await freePort(), host: '127.0.0.1' });
  await once(taken, 'listening');
  const { port: takenPort } = taken.address() as { port: number };
  const tried: number[] = [];
  const server = await startProcess({
    program: process.execPath,
    args: (port) => {
      tried.push(port);
      return ['-e', LISTEN, String(tried.length === 1 ? takenPort : port)];
    },
    ready: accepts,
  });
  expect(tried).toHaveLength(2);
  expect(server.port).toBe(tried[1]);
  await server.stop();
  taken.close();
  expect(await accepts(server.port).catch(() => false)).toBe(false);
});

test.runIf(process.platform === 'linux')('a server dies with the test process, even when that is killed', async () => {
  const module = new URL('./start-process.ts', import.meta.url).href;
  const script = `import { startProcess } from ${JSON.stringify(module)};
    const server = await startProcess({ program: process.execPath, args: (port) => ['-e', ${JSON.stringify(LISTEN)}, String(port)], ready: async () => true });
    console.log(server.pid);`;
  const owner = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(owner.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  expect(isAlive(pid)).toBe(true);
  owner.kill('SIGKILL');
  await vi.waitUntil(() => !isAlive(pid), { timeout: 10_000, interval: 20 });
});

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}

/** A process that has ended and that nobody has waited for is a zombie: gone, though its id still answers. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
