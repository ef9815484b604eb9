import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openScratch } from '../../../sinks/helm/scratch.ts';

let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'vartrack-scratch-test-'));
});
afterEach(() => rm(parent, { recursive: true, force: true }));

test('a scratch directory is for nobody else, and gone when it is removed', async () => {
  const scratch = await openScratch(parent);
  expect((await stat(scratch.path)).mode & 0o777).toBe(0o700);
  await scratch.remove();
  expect(await readdir(parent)).toEqual([]);
});

test('what processes left that are gone is cleared away, and what belongs to others stays', async () => {
  const own = await openScratch(parent);
  const prefix = basename(own.path).split(`${process.pid}-`)[0] ?? '';
  // A process that has been and is no more.
  const { pid } = spawnSync('true');
  const others = [`${prefix}1-alive`, 'vartrack-helm-00000000-1-other-machine', 'something-else'];
  for (const name of [...others, `${prefix}${pid}-dead`, `${prefix}${process.pid}-before`]) await mkdir(join(parent, name));
  const before = new Date(Date.now() - process.uptime() * 1_000 - 60_000);
  await utimes(join(parent, `${prefix}${process.pid}-before`), before, before);
  const next = await openScratch(parent);
  expect((await readdir(parent)).toSorted()).toEqual([...others, basename(own.path), basename(next.path)].toSorted());
});
