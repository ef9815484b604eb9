import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { failure } from '../contract/scenario.ts';
import { connectLocal, makeRoot } from '../linux-bench.ts';
import { placeAt, watching } from './watching.ts';

let root: string;
let at: (...steps: readonly string[]) => string;
let tests = 0;
beforeAll(async () => {
  root = await makeRoot();
});
afterAll(() => rm(root, { recursive: true, force: true }));
beforeEach(async () => {
  const own = join(root, `test-${tests++}`);
  await mkdir(own);
  at = (...steps) => join(own, ...steps);
});

async function watch(...files: readonly string[]) {
  const sink = await connectLocal(root);
  onTestFinished(() => sink.close());
  return watching(sink, files);
}

test('a file that is replaced by renames, written in place and removed is told of each time', async () => {
  const it = await watch(at('app.env'));
  for (let round = 0; round < 3; round++) {
    await writeFile(at('new'), String(round));
    await rename(at('new'), at('app.env'));
    await it.tells('app.env');
  }
  await writeFile(at('app.env'), 'in place');
  await it.tells('app.env');
  await rm(at('app.env'));
  await it.tells('app.env');
});

test('other files of the directory, ours beside it too, are not told of', async () => {
  const it = await watch(at('app.env'));
  await writeFile(at('other.env'), '');
  await writeFile(at('.app.env.vartrack'), '');
  await writeFile(at('app.env'), '');
  expect(new Set(await it.tells('app.env'))).toEqual(new Set(['app.env']));
});

test('a file is told of whose directories came to be one after the other', async () => {
  const it = await watch(at('a', 'b', 'app.env'), at('other.env'));
  await mkdir(at('a'));
  await it.tells('app.env');
  await mkdir(at('a', 'b'));
  await it.tells('app.env');
  await writeFile(at('a', 'b', 'app.env'), '');
  await it.tells('app.env');
});

test('a directory that another one took the place of is watched', async () => {
  await mkdir(at('conf'));
  const it = await watch(at('conf', 'app.env'));
  await mkdir(at('conf.new'));
  await rename(at('conf'), at('conf.old'));
  await rename(at('conf.new'), at('conf'));
  await it.tells('app.env');
  // Told of the new directory; what is in the old one is nobody's.
  await expect.poll(async () => (await writeFile(at('conf', 'app.env'), ''), it.since()), { timeout: 5_000 }).toContain('app.env');
});

test('a directory that was removed, and a file that is called like its directory', async () => {
  await mkdir(at('app'));
  const it = await watch(at('app', 'app'));
  await writeFile(at('app', 'app'), '');
  await it.tells('app');
  await rm(at('app'), { recursive: true });
  await it.tells('app');
  await expect.poll(async () => (await mkdir(at('app'), { recursive: true }), it.since()), { timeout: 5_000 }).toContain('app');
});

test('a symbolic link to a directory is followed inside of the root, and not to the outside', async () => {
  const outside = await makeRoot();
  onTestFinished(() => rm(outside, { recursive: true, force: true }));
  await mkdir(at('real'));
  await Promise.all([symlink(at('real'), at('link')), symlink(outside, at('away'))]);
  const it = await watch(at('link', 'in.env'), at('away', 'out.env'));
  await writeFile(join(outside, 'out.env'), '');
  await writeFile(at('real', 'in.env'), '');
  expect(await it.tells('in.env')).not.toContain('out.env');
});

test('a root that is missing is unavailable, and the message says so', async () => {
  const sink = await connectLocal(at('nowhere'));
  const watch = sink.watch?.([placeAt(at('nowhere', 'app.env'))], () => undefined, AbortSignal.timeout(5_000));
  expect((await failure(watch ?? Promise.resolve(), 'unavailable')).message).toBe('watch of files: the root of the sink does not exist');
});
