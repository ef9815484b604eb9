import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

/** A private directory (0700) in memory, where there is one: Helm's caches, charts, and logins while a chart is fetched. No values. */
export interface Scratch {
  readonly path: string;
  remove(): Promise<void>;
}

const prefix = `vartrack-helm-${createHash('sha256').update(hostname()).digest('hex').slice(0, 8)}-`;

export async function openScratch(parent: string = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()): Promise<Scratch> {
  await sweep(parent);
  const path = await mkdtemp(join(parent, `${prefix}${process.pid}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Removes what processes of this machine left that were killed. */
async function sweep(parent: string): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names.filter((each) => each.startsWith(prefix))) {
    const pid = Number(name.slice(prefix.length).split('-', 1)[0]);
    const path = join(parent, name);
    if (Number.isSafeInteger(pid) && (await isLeft(pid, path))) await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function isLeft(pid: number, path: string): Promise<boolean> {
  // In a container that was started again we have the process id of who was killed.
  if (pid === process.pid) {
    const found = await stat(path).catch(() => null);
    return found !== null && found.mtimeMs < Date.now() - process.uptime() * 1_000 - 1_000;
  }
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}
