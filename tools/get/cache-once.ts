import { randomUUID } from 'node:crypto';
import { access, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_INTERVAL_MS = 250;

/** Where downloaded and built servers stay between runs: `${XDG_CACHE_HOME:-~/.cache}/vartrack/servers`. */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'vartrack', 'servers');
}

/** The cached folder of this key, or undefined if it was never finished. */
export async function locateCached(key: string): Promise<string | undefined> {
  const folder = join(cacheFolder(), key);
  return (await exists(folder)) ? folder : undefined;
}

/**
 * Fills the folder of `key` once: `fill` writes into a temporary sibling that is renamed when it is complete, so a folder that exists is whole.
 * Two runs at once do the work once: the second waits for the first, and takes over if that one died.
 */
export async function cacheOnce(key: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(cacheFolder(), key);
  await mkdir(cacheFolder(), { recursive: true });
  const unlock = await lock(`${folder}.lock`);
  try {
    if (await exists(folder)) return folder;
    const unfinished = `${folder}.${randomUUID()}.tmp`;
    try {
      await mkdir(unfinished);
      await fill(unfinished);
      await rename(unfinished, folder);
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
    return folder;
  } finally {
    await unlock();
  }
}

async function lock(path: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      const file = await open(path, 'wx');
      await file.writeFile(String(process.pid));
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (await ownerIsGone(path)) await rm(path, { force: true });
    else await delay(POLL_INTERVAL_MS);
  }
}

async function ownerIsGone(path: string): Promise<boolean> {
  const pid = Number(await readFile(path, 'utf8').catch(() => ''));
  // Empty: the owner has created the file and not yet written its id.
  if (!pid) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
