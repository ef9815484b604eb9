import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLeakScan, formsOf } from './leak-scan.ts';
import { lookAtDatabase, lookAtMirrors } from './look-at-rest.ts';
import { makeSecrets } from './shapes.ts';
import { watchChildren } from './watch-children.ts';

const run = promisify(execFile);
const secrets = makeSecrets();
const { plain = '', likeShell = '', long = '' } = secrets;

describe('the scan for leaked secrets', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'vartrack-scan-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it.each(Object.keys(secrets))('finds the value %s in each of its forms, in the middle of other text', (name) => {
    const value = secrets[name] ?? '';
    for (const [form, text] of Object.entries(formsOf(value))) {
      const scan = createLeakScan({ [name]: value });
      scan.look('a log', `{"message":"${text}","x":1}`);
      expect(
        scan.leaks.map(({ place, secret }) => `${place} ${secret}`),
        form,
      ).toContain(`a log ${name}`);
      // One byte less is nothing of that form.
      const short = createLeakScan({ [name]: value });
      short.look('a log', text.slice(0, -1));
      expect(
        short.leaks.map((leak) => leak.form),
        form,
      ).not.toContain(form);
    }
  });

  it.each([0, 1, 2, 3, 4])('finds a value in the base64 of a text where it has %d bytes before it', (before) => {
    const scan = createLeakScan(secrets);
    for (const value of Object.values(secrets)) scan.look('base64', Buffer.from(`${'x'.repeat(before)}${value}and more`).toString('base64'));
    expect(new Set(scan.leaks.map(({ secret }) => secret))).toEqual(new Set(Object.keys(secrets)));
  });

  it('finds nothing where nothing is, in a lot of random text', () => {
    const scan = createLeakScan(secrets);
    for (let round = 0; round < 40; round++)
      scan.look(
        'other values',
        Object.values(makeSecrets())
          .map((value) => Object.values(formsOf(value)).join(' '))
          .join('\n'),
      );
    expect(scan.leaks).toEqual([]);
  });

  it('says so where a place has not been read, and tells a leak without its value', () => {
    const scan = createLeakScan(secrets);
    expect(() => scan.look('a log', '', 'worker is polling')).toThrow('a log does not have "worker is polling"');
    scan.look('a log', plain);
    expect(JSON.stringify(scan.leaks)).not.toContain(plain);
  });

  it('finds a value in a database: in a cell of many pages, and where it was deleted', async () => {
    const path = join(directory, 'a.db');
    const database = new DatabaseSync(path);
    database.exec('CREATE TABLE kept (data BLOB); CREATE TABLE emptied (data TEXT)');
    database.prepare('INSERT INTO kept VALUES (?)').run(Buffer.from(`${'x'.repeat(3_000)}${long}`));
    database.prepare('INSERT INTO emptied VALUES (?)').run(`before ${plain}`);
    database.exec('DELETE FROM emptied');
    database.close();
    const scan = createLeakScan({ plain, long });
    expect(await lookAtDatabase(path, scan.look)).toBe(1);
    expect(scan.leaks).toContainEqual({ place: "the database's cells", secret: 'long', form: 'plain' });
    expect(scan.leaks).toContainEqual({ place: "the database's file", secret: 'plain', form: 'plain' });
  });

  it('finds a value in a Git mirror, where objects are compressed', async () => {
    const mirror = join(directory, 'cache/one.git');
    await mkdir(mirror, { recursive: true });
    await run('git', ['init', '-q', '--bare', mirror]);
    await writeFile(join(directory, 'blob'), `password: ${plain}\n`);
    await run('git', ['--git-dir', mirror, 'hash-object', '-w', join(directory, 'blob')]);
    const scan = createLeakScan({ plain });
    expect(await lookAtMirrors(join(directory, 'cache'), scan.look)).toBe(1);
    expect(scan.leaks).toEqual([{ place: 'objects of Git mirrors', secret: 'plain', form: 'plain' }]);
  });

  it('finds a value among the arguments, in the environment and in a temporary file of a child of a child', async () => {
    const scan = createLeakScan({ plain, long, likeShell });
    const temporary = join(directory, 'temporary');
    await mkdir(temporary);
    // A shell that waits for its input is there for as long as the test wants it to be.
    const parent = spawn('sh', ['-c', 'read never; sh -c "read never" "$1"; :', 'sh', likeShell], { stdio: ['pipe', 'ignore', 'ignore'] });
    const other = spawn('sh', ['-c', 'sh -c "read never; :"; :'], { stdio: ['pipe', 'ignore', 'ignore'], env: { PASSWORD: plain, PATH: process.env['PATH'] } });
    const watch = watchChildren({ roots: [process.pid], directories: () => [temporary], look: scan.look });
    await writeFile(join(temporary, 'values.yaml'), `a: ${long}`);
    const expected = [
      { place: 'cmdline of children', secret: 'likeShell', form: 'plain' },
      { place: 'environ of children', secret: 'plain', form: 'plain' },
      { place: 'temporary files', secret: 'long', form: 'plain' },
    ];
    await vi.waitUntil(() => scan.leaks.length >= expected.length, { timeout: 10_000, interval: 10 });
    const gone = [parent, other].map((child) => once(child, 'close'));
    parent.stdin.end();
    other.stdin.end();
    await Promise.all([...gone, watch.stop()]);
    expect(scan.leaks).toEqual(expect.arrayContaining(expected));
    expect(watch.programs).toContain('sh');
    expect([...watch.files]).toEqual([join(temporary, 'values.yaml')]);
  });
});
