import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { cacheFolder, cacheOnce, locateCached } from '../../../tools/get/cache-once.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'vartrack-cache-'));
  vi.stubEnv('XDG_CACHE_HOME', root);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(root, { recursive: true, force: true });
});

test('a folder is filled once, however many ask for it at once', async () => {
  let fills = 0;
  const fill = async (folder: string): Promise<void> => {
    fills += 1;
    await writeFile(join(folder, 'program'), 'x');
  };
  const folders = await Promise.all([cacheOnce('server-1', fill), cacheOnce('server-1', fill), cacheOnce('server-1', fill)]);
  expect(new Set(folders)).toEqual(new Set([join(root, 'vartrack', 'servers', 'server-1')]));
  expect(fills).toBe(1);
  expect(await readdir(cacheFolder())).toEqual(['server-1']);
});

test('a failed attempt leaves nothing that could be taken for a whole one, and the next one succeeds', async () => {
  const failing = cacheOnce('server-1', async (folder) => {
    await writeFile(join(folder, 'program'), 'half');
    throw new Error('disk full');
  });
  await expect(failing).rejects.toThrow('disk full');
  expect(await locateCached('server-1')).toBeUndefined();
  const folder = await cacheOnce('server-1', async (target) => writeFile(join(target, 'program'), 'whole'));
  expect(await readFile(join(folder, 'program'), 'utf8')).toBe('whole');
});

test('the lock and the half that a killed run left behind are taken over', async () => {
  const lock = join(cacheFolder(), 'server-1.lock');
  await mkdir(join(cacheFolder(), 'server-1.unfinished'), { recursive: true });
  await writeFile(join(cacheFolder(), 'server-1.unfinished', 'half'), '');
  await writeFile(lock, '');
  const minuteAgo = new Date(Date.now() - 60_000);
  await utimes(lock, minuteAgo, minuteAgo);
  const folder = await cacheOnce('server-1', async (target) => writeFile(join(target, 'program'), ''));
  expect(await readdir(folder)).toEqual(['program']);
  expect(await readdir(cacheFolder())).toEqual(['server-1']);
});
