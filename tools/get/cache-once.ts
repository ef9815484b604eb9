import { access, mkdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_INTERVAL_MS = 250;
const TOUCH_INTERVAL_MS = 2_000;
const ABANDONED_AFTER_MS = 20_000;

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
 * Fills the folder of `key` once: `fill` writes into a sibling that is renamed when it is complete, so a folder that exists is whole.
 * Two runs at once do the work once: the second waits for the first, and takes over if that one died.
 */
export async function cacheOnce(key: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(cacheFolder(), key);
  await mkdir(cacheFolder(), { recursive: true });
  const unlock = await lock(`${folder}.lock`);
  try {
    if (await exists(folder)) return folder;
    const unfinished = `${folder}.unfinished`;
    // A run that was killed has left its half.
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished);
    await fill(unfinished);
    await rename(unfinished, folder);
    return folder;
  } finally {
    await unlock();
  }
}

/** Holds a file that exists as long as its owner keeps touching it: a process id would mean nothing in another container or after a reboot. */
async function lock(path: string): Promise<() => Promise<void>> {
  while (!(await create(path))) {
    if (await isAbandoned(path)) await rm(path, { force: true });
    else await delay(POLL_INTERVAL_MS);
  }
  const touch = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => undefined), TOUCH_INTERVAL_MS);
  return async () => {
    clearInterval(touch);
    await rm(path, { force: true });
  };
}

async function create(path: string): Promise<boolean> {
  try {
    await writeFile(path, '', { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  return info !== undefined && Date.now() - info.mtimeMs > ABANDONED_AFTER_MS;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
