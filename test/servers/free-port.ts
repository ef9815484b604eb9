import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the range the kernel hands to outgoing connections (32768 on Linux), so that no client takes the port before the server does.
const LOWEST = 15_000;
const HIGHEST = 32_000;

/** A port of 127.0.0.1 that nothing listens on. Random, so that test files running at once hardly meet; `startProcess` tries again if they do. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
