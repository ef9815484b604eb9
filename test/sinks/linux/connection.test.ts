import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, chown, lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { plan, type Plan, type WritePlan } from '../../../domain/plan.ts';
import { linux, type LinuxFields } from '../../../sinks/linux.ts';
import { createLinuxSink } from '../../../sinks/linux/connection.ts';
import { createLocalShell } from '../../../sinks/linux/local.ts';
import type { Shell } from '../../../sinks/linux/shell.ts';
import type { Place, Sink } from '../../../sinks/sink.ts';
import { contextFor, failure, fingerprint, owner } from '../contract/scenario.ts';
import { makeRoot, sidecar } from '../linux-bench.ts';
import { policyOf } from '../../domain/policy-of.ts';

const isRoot = process.getuid?.() === 0;
let root = '';
beforeAll(async () => {
  root = await makeRoot();
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe('confinement', () => {
  test('a path that leads out of the root through a link is refused, read or written', async () => {
    const outside = await makeRoot();
    onTestFinished(() => rm(outside, { recursive: true, force: true }));
    await writeFile(join(outside, 'app.env'), 'A=theirs\n');
    const link = join(root, randomUUID());
    await symlink(outside, link);
    const sink = connect();
    for (const name of [join(link, 'app.env'), join(link, 'new', 'app.env'), join(outside, 'app.env')]) {
      expect((await failure(sink.read(placeAt(name), contextFor([])), 'rejected')).message).toContain('outside of the root');
      await failure(sink.apply(placeAt(name), writeOf('x'), contextFor([])), 'rejected');
    }
    expect(await readdir(outside)).toEqual(['app.env']);
    expect(await readFile(join(outside, 'app.env'), 'utf8')).toBe('A=theirs\n');
  });

  test('a directory beside the root whose name begins like it is outside', async () => {
    const sink = connect();
    await mkdir(`${root}-beside`);
    onTestFinished(() => rm(`${root}-beside`, { recursive: true, force: true }));
    await failure(sink.read(placeAt(`${root}-beside/app.env`), contextFor([])), 'rejected');
  });

  test.each([
    ['to a file', 'target.env'],
    ['to nothing', 'nothing.env'],
  ])('a place that is a symbolic link %s is refused and never absent', async (_name, target) => {
    const sink = connect();
    const name = await freshName();
    await writeFile(join(dirname(name), 'target.env'), 'A=1\n');
    await symlink(join(dirname(name), target), name);
    await failure(sink.read(placeAt(name), contextFor([])), 'rejected');
    await failure(sink.apply(placeAt(name), writeOf('x'), contextFor([])), 'rejected', 'conflict');
    expect((await lstat(name)).isSymbolicLink()).toBe(true);
    expect(await readFile(join(dirname(name), 'target.env'), 'utf8')).toBe('A=1\n');
  });

  test('a directory that is a link to nothing, a place that is a directory, and a file on the way are failures and never absent', async () => {
    const sink = connect();
    const name = await freshName();
    await symlink(join(root, 'no-such-directory'), join(dirname(name), 'dangling'));
    await failure(sink.read(placeAt(join(dirname(name), 'dangling', 'app.env')), contextFor([])), 'rejected');
    await failure(sink.read(placeAt(dirname(name)), contextFor([])), 'rejected');
    await writeFile(name, 'A=1\n');
    await failure(sink.read(placeAt(join(name, 'app.env')), contextFor([])), 'rejected');
  });

  test.each(['app.env', '/a/../b', '/a//b', '/a/', '/a\nb', '/a/./b', '/a/.app.env.vartrack', `/${'x'.repeat(200)}`])(
    'the place %j is refused by its name',
    (name) => {
      expect(linux.placeProblem(name, fieldsOf({}), linux.options.parse({ transport: 'local', root: '/srv' }))).toEqual(expect.any(String));
    },
  );

  test('names with spaces, quotes, signs of the shell and a leading dash are names like others', async () => {
    const sink = connect();
    for (const base of [`a b'c"d$(touch x)\`id\`;&|*?[x]\\n.env`, '-n', '--help', 'é 鍵.env', '.env']) {
      const place = placeAt(join(root, randomUUID(), base));
      await write(sink, place, 'one');
      await write(sink, place, 'two');
      await sink.restore(place, 2, contextFor([]));
      expect(await readFile(place.name, 'utf8')).toBe('A=one\n');
      expect((await readdir(dirname(place.name))).toSorted()).toEqual(
        [base, `.${base}.vartrack`, `.${base}.vartrack.lock`, `.${base}.vartrack.undo`].toSorted(),
      );
    }
  });
});

describe('mode and owner', () => {
  test('a new file has the mode that the destination says, and what varTrack keeps beside it is for its user only', async () => {
    const sink = connect();
    const place = placeAt(await freshName(), { mode: '0640' });
    await write(sink, place, 'one');
    await write(sink, place, 'two');
    expect((await stat(place.name)).mode & 0o7777).toBe(0o640);
    for (const suffix of ['', '.undo', '.lock']) expect((await stat(sidecar(place.name, suffix))).mode & 0o7777).toBe(0o600);
  });

  test('a file that exists keeps its mode and owner, and an undo brings back those of before', async () => {
    const sink = connect();
    const place = placeAt(await freshName(), {});
    await writeFile(place.name, 'A=theirs\n');
    if (isRoot) await chown(place.name, 65_534, 5);
    await chmod(place.name, 0o4755);
    await write(sink, place, 'one', { onExisting: 'overwrite' });
    const whose = isRoot ? { uid: 65_534, gid: 5 } : {};
    expect(await stat(place.name)).toMatchObject({ mode: 0o104755, ...whose });
    await chmod(place.name, 0o600);
    if (isRoot) await chown(place.name, 0, 0);
    await sink.restore(place, 1, contextFor([]));
    expect(await stat(place.name)).toMatchObject({ mode: 0o104755, ...whose });
    expect(await readFile(place.name, 'utf8')).toBe('A=theirs\n');
  });

  test('a missing directory is made, or refused where the destination says so', async () => {
    const sink = connect();
    const made = placeAt(join(root, randomUUID(), 'a', 'b', 'app.env'));
    await write(sink, made, 'one');
    expect((await stat(dirname(made.name))).mode & 0o777).toBe(0o755);
    const refused = placeAt(join(root, randomUUID(), 'app.env'), { createDirectories: false });
    await failure(write(sink, refused, 'one'), 'rejected');
    await expect(stat(dirname(refused.name))).rejects.toThrow('ENOENT');
  });
});

describe('commands', () => {
  test('a validate command sees the new file, and refuses it before anything changed', async () => {
    const sink = connect();
    const name = await freshName();
    await write(sink, placeAt(name), 'one');
    const place = placeAt(name, { validate: `grep -q two "$FILE" || { echo "bad value in A: secretive" >&2; exit 3; }` });
    const before = await readdir(dirname(name));
    const error = await failure(write(sink, place, 'secretive'), 'rejected');
    expect(error.message).toMatch(/validate command ended with exit code 3; nothing was changed; it said: bad value in A: \*\*\*$/);
    expect(await readFile(name, 'utf8')).toBe('A=one\n');
    expect(await readdir(dirname(name))).toEqual(before);
    await write(sink, place, 'two');
    expect(await readFile(name, 'utf8')).toBe('A=two\n');
  });

  test('a reload command runs once for each change, and not where only the ledger moves', async () => {
    const sink = connect();
    const name = await freshName();
    const place = placeAt(name, { reload: 'cat "$FILE" >>"$FILE.log"' });
    await write(sink, place, 'one');
    await write(sink, place, 'one', {}, 'b'.repeat(40));
    await write(sink, place, 'two');
    await sink.restore(place, 3, contextFor([]));
    expect(await readFile(`${name}.log`, 'utf8')).toBe('A=one\nA=two\nA=one\n');
  });

  test('a reload that fails leaves a write that the next attempt finishes, or an undo takes back', async () => {
    const sink = connect();
    const [finished, undone] = [await freshName(), await freshName()];
    for (const name of [finished, undone]) {
      await write(sink, placeAt(name), 'one');
      const error = await failure(write(sink, placeAt(name, { reload: 'exit 7' }), 'two'), 'rejected');
      expect(error.message).toContain('reload command ended with exit code 7');
      expect((await sink.read(placeAt(name), contextFor([]))).ledger).toMatchObject({ state: 'intent', generation: 2 });
    }
    const place = placeAt(finished, { reload: 'echo reloaded >"$FILE.log"' });
    expect(await write(sink, place, 'two')).toMatchObject({ generation: 3 });
    expect(await readFile(`${finished}.log`, 'utf8')).toBe('reloaded\n');
    // The undo of the attempt that got through goes back to before the one that did not.
    await sink.restore(placeAt(finished), 3, contextFor([]));
    await sink.restore(placeAt(undone), 2, contextFor([]));
    for (const name of [finished, undone]) expect(await readFile(name, 'utf8')).toBe('A=one\n');
  });

  test('a command that takes too long is ended, and one that leaves a process behind keeps neither the call nor the lock', async () => {
    const sink = connect();
    const name = await freshName();
    const error = await failure(write(sink, placeAt(name, { validate: 'sleep 60', commandTimeout: '1s' }), 'one'), 'rejected');
    expect(error.message).toContain('took too long');
    const pidFile = `${name}.pid`;
    await write(sink, placeAt(name, { reload: `sleep 60 & echo $! >"$FILE.pid"` }), 'one');
    onTestFinished(async () => void process.kill(Number(await readFile(pidFile, 'utf8')), 'SIGKILL'));
    await write(sink, placeAt(name), 'two');
  });

  test('commands see nothing of the environment of the worker', async () => {
    process.env['VARTRACK_TEST_SECRET'] = 'secretive';
    onTestFinished(() => void delete process.env['VARTRACK_TEST_SECRET']);
    const name = await freshName();
    await write(connect(), placeAt(name, { reload: 'env >"$FILE.log"' }), 'one');
    expect(await readFile(`${name}.log`, 'utf8')).not.toContain('secretive');
  });
});

describe('interruptions', () => {
  test('a script that is killed at any of its steps leaves what the next attempt finishes and an undo takes back', async () => {
    const sink = connect();
    let steps = 0;
    for (let step = 1; ; step++) {
      const [finished, undone] = [placeAt(await freshName()), placeAt(await freshName())];
      let cut = true;
      for (const place of [finished, undone]) {
        await write(sink, place, 'one');
        const outcome = await write(connect(killedAt(step)), place, 'two').catch((error: unknown) => error);
        cut = outcome instanceof Error;
        if (cut) await failure(Promise.reject(outcome), 'unavailable');
        expect(['A=one\n', 'A=two\n']).toContain(await readFile(place.name, 'utf8'));
      }
      await write(sink, finished, 'two');
      expect(await readFile(finished.name, 'utf8')).toBe('A=two\n');
      await sink.restore(undone, 2, contextFor([]));
      expect(await readFile(undone.name, 'utf8')).toBe('A=one\n');
      await write(sink, undone, 'three');
      expect(await readFile(undone.name, 'utf8')).toBe('A=three\n');
      if (!cut) break;
      steps = step;
    }
    expect(steps).toBeGreaterThan(10);
  }, 120_000);

  test('the same plan applied again goes on where its script was killed', async () => {
    const sink = connect();
    for (let step = 1; ; step++) {
      const place = placeAt(await freshName());
      await write(sink, place, 'one');
      const made = await planFor(sink, place, 'two');
      const outcome = await connect(killedAt(step))
        .apply(place, made as WritePlan, contextFor([]))
        .catch((error: unknown) => error);
      expect(await sink.apply(place, made as WritePlan, contextFor([]))).toEqual({ generation: 2, writes: 1 });
      expect(await planFor(sink, place, 'two')).toEqual({ kind: 'unchanged', generation: 2 });
      if (!(outcome instanceof Error)) break;
    }
  }, 120_000);

  test('an undo that is killed at any of its steps is finished by the next attempt', async () => {
    const sink = connect();
    for (let step = 1; ; step++) {
      const place = placeAt(await freshName());
      await write(sink, place, 'one');
      await write(sink, place, 'two');
      const outcome = await connect(killedAt(step))
        .restore(place, 2, contextFor([]))
        .catch((error: unknown) => error);
      expect(await sink.restore(place, 2, contextFor([]))).toMatchObject({ generation: 3 });
      expect(await readFile(place.name, 'utf8')).toBe('A=one\n');
      if (!(outcome instanceof Error)) break;
    }
  }, 120_000);

  test('a writer that was stopped in the middle and goes on after a newer write gets a conflict', async () => {
    const sink = connect();
    const name = await freshName();
    await write(sink, placeAt(name), 'one');
    const stale = placeAt(name, {
      validate: `echo $PPID >"$FILE.pid"; mv "$FILE.pid" ${join(dirname(name), 'pid')}; while [ ! -e ${join(dirname(name), 'go')} ]; do sleep 0.05; done`,
    });
    const late = failure(write(sink, stale, 'stale'), 'conflict');
    const pid = Number(await waitFor(() => readFile(join(dirname(name), 'pid'), 'utf8')));
    process.kill(pid, 'SIGSTOP');
    await write(sink, placeAt(name), 'newer');
    await writeFile(join(dirname(name), 'go'), '');
    process.kill(pid, 'SIGCONT');
    await late;
    expect(await readFile(name, 'utf8')).toBe('A=newer\n');
  });

  test('a call that is aborted ends its script', async () => {
    const name = await freshName();
    const abort = new AbortController();
    const place = placeAt(name, { validate: `echo $PPID >${join(dirname(name), 'pid')}; sleep 2` });
    const made = await planFor(connect(), place, 'one');
    const call = failure(connect().apply(place, made as WritePlan, contextFor([], abort.signal)), 'unavailable');
    await waitFor(() => readFile(join(dirname(name), 'pid'), 'utf8'));
    abort.abort();
    await call;
    await expect(stat(name)).rejects.toThrow('ENOENT');
  });

  test('a call that is aborted while another writer has the lock leaves no temporary file', async () => {
    const name = await freshName();
    const lock = join(dirname(name), `.${basename(name)}.vartrack.lock`);
    const other = spawn('flock', [lock, '-c', 'echo locked; read -r _'], { stdio: ['pipe', 'pipe', 'inherit'] });
    onTestFinished(() => void other.stdin.end());
    await new Promise((resolve) => other.stdout.once('data', resolve));
    const abort = new AbortController();
    const made = await planFor(connect(), placeAt(name), 'one');
    const call = failure(connect().apply(placeAt(name), made as WritePlan, contextFor([], abort.signal)), 'unavailable');
    const temporary = async (): Promise<readonly string[]> => (await readdir(dirname(name))).filter((each) => each.includes('.vartrack.tmp.'));
    await waitFor(async () => (await temporary()).length > 0 || Promise.reject(new Error('it has not begun')));
    abort.abort();
    await call;
    await waitFor(async () => (await temporary()).length === 0 || Promise.reject(new Error('temporary files are left')));
  });

  test('temporary files that a killed writer left are gone an hour later, and fresh ones of others stay', async () => {
    const sink = connect();
    const place = placeAt(await freshName());
    const left = (id: string): string => join(dirname(place.name), `.${basename(place.name)}.vartrack.tmp.${id}.new`);
    await writeFile(left('old'), 'x');
    await writeFile(left('fresh'), 'x');
    await new Promise((resolve) => spawn('touch', ['-d', '2 hours ago', left('old')]).once('close', resolve));
    await write(sink, place, 'one');
    const names = await readdir(dirname(place.name));
    expect(names).toContain(basename(left('fresh')));
    expect(names).not.toContain(basename(left('old')));
  });
});

describe('tools', () => {
  test('a machine that lacks a command is named as unsupported', async () => {
    const path = join(root, randomUUID());
    await mkdir(path);
    for (const tool of ['sh', 'base64']) await symlink(await which(tool), join(path, tool));
    const shell = createLocalShell({ command: [await which('sh')], path });
    const error = await failure(connect(shell).read(placeAt(await freshName()), contextFor([])), 'unsupported');
    expect(error.message).toMatch(/the command \w+ is missing/);
  });

  test.each(['busybox', 'bash'])('%s runs the scripts too', async (name) => {
    const program = await which(name).catch(() => undefined);
    if (program === undefined) return console.warn(`not proven for ${name}: it is not installed`);
    const path = join(root, randomUUID());
    await mkdir(path);
    if (name === 'busybox') {
      await new Promise((resolve) => spawn(program, ['--install', '-s', path]).once('close', resolve));
      // Debian builds busybox without it; Alpine and OpenWrt do not.
      await symlink(await which('flock'), join(path, 'flock')).catch(() => undefined);
    }
    const shell = name === 'busybox' ? createLocalShell({ command: [program, 'sh'], path }) : createLocalShell({ command: [program] });
    const sink = connect(shell);
    const place = placeAt(await freshName(), { reload: 'true', validate: 'grep -q A "$FILE"' });
    await write(sink, place, 'one');
    await write(sink, place, 'two');
    await sink.restore(place, 2, contextFor([]));
    expect(await readFile(place.name, 'utf8')).toBe('A=one\n');
    expect((await sink.read(placeAt(join(root, 'no', 'such', 'file')), contextFor([]))).exists).toBe(false);
  });
});

function connect(shell: Shell = createLocalShell()): Sink {
  return createLinuxSink(shell, { root, timeoutMs: 20_000 });
}

/** A shell whose process dies before the nth command that has to work. */
function killedAt(step: number): Shell {
  const shell = createLocalShell();
  const counting = `steps=0\nmust() { steps=$((steps + 1)); [ "$steps" != ${step} ] || kill -KILL $$;`;
  return {
    ...shell,
    run: (request) => {
      // Reading takes no step that changes anything.
      if (!request.script.includes('flock 9')) return shell.run(request);
      expect(request.script).toContain('must() {');
      return shell.run({ ...request, script: request.script.replace('must() {', () => counting) });
    },
  };
}

function fieldsOf(fields: Readonly<Record<string, unknown>>): LinuxFields {
  return linux.destination.parse({ format: 'env', ...fields });
}

function placeAt(name: string, fields: Readonly<Record<string, unknown>> = {}): Place<LinuxFields> {
  return { name, layout: 'env', fields: fieldsOf(fields) };
}

async function freshName(): Promise<string> {
  const directory = join(root, randomUUID());
  await mkdir(directory);
  return join(directory, 'app.env');
}

async function planFor(sink: Sink, place: Place, value: string, policy: { onExisting?: 'overwrite' } = {}, commit = 'a'.repeat(40)): Promise<Plan> {
  const entries = [linux.render({ path: ['a'], value }, place.fields as LinuxFields)];
  const desired = { entries, owner, stream: 'config/main', commit, inputsMoved: true, write: randomUUID(), at: '2026-11-24T00:00:00.000Z' };
  return plan(desired, await sink.read(place, contextFor(entries)), policyOf({ ownership: 'place', ...policy }), fingerprint);
}

async function write(sink: Sink, place: Place, value: string, policy: { onExisting?: 'overwrite' } = {}, commit?: string) {
  const made = await planFor(sink, place, value, policy, commit);
  if (made.kind === 'held') throw new Error(made.holds.map((hold) => hold.message).join('; '));
  return made.kind === 'unchanged' ? { generation: made.generation, writes: 0 } : sink.apply(place, made, contextFor([]));
}

/** A first write of a place that was read as absent. */
function writeOf(value: string): WritePlan {
  const entries = [linux.render({ path: ['a'], value }, fieldsOf({}))];
  const live = { exists: false, entries: new Map<string, string>(), ledger: null, version: 'absent absent' };
  const desired = { entries, owner, stream: 'config/main', commit: 'a'.repeat(40), inputsMoved: true, write: randomUUID(), at: '2026-11-24T00:00:00.000Z' };
  return plan(desired, live, policyOf({ ownership: 'place' }), fingerprint) as WritePlan;
}

async function which(tool: string): Promise<string> {
  for (const directory of (process.env['PATH'] ?? '').split(':')) {
    const path = join(directory, tool);
    if ((await stat(path).catch(() => undefined))?.isFile()) return path;
  }
  throw new Error(`there is no ${tool}`);
}

async function waitFor<Result>(attempt: () => Promise<Result>): Promise<Result> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await delay(10);
    }
  }
}
