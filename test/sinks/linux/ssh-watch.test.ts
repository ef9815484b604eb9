import { chmod, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startTcpProxy } from '../../faults/tcp-proxy.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startSshd, type SshServer } from '../../servers/sshd.ts';
import { failure } from '../contract/scenario.ts';
import { connectSsh, makeRoot, type SshLogin } from '../linux-bench.ts';
import { inotifywaitsBelow, placeAt, watching } from './watching.ts';

describeWith(['sshd', 'inotifywait'], 'a watch over SSH', () => {
  let server: SshServer;
  let root: string;
  beforeAll(async () => {
    [server, root] = await Promise.all([startSshd(), makeRoot()]);
  });
  afterAll(async () => {
    await server.stop();
    await rm(root, { recursive: true, force: true });
  });

  async function connect(login?: SshLogin, at: SshServer = server) {
    const sink = await connectSsh(at, login);
    onTestFinished(() => sink.close());
    return sink;
  }

  async function folder(): Promise<string> {
    const path = await mkdtemp(join(root, 'test-'));
    await chmod(path, 0o755);
    return path;
  }

  test('one program watches all files, tells of names with any sign, and of no other files', async () => {
    const at = await folder();
    const names = ['a b.env', `q'u"o$HOME.env`, '-größe*.env', 'app.env'];
    const files = names.map((name, index) => join(at, `dir ${index % 2} $(x)`, name));
    for (const directory of ['dir 0 $(x)', 'dir 1 $(x)']) await mkdir(join(at, directory));
    const it = await watching(await connect({ root }), files);
    expect(await inotifywaitsBelow(at)).toHaveLength(1);
    for (const [index, name] of names.entries()) {
      await writeFile(join(at, 'new'), '');
      await writeFile(`${files[index]}.other`, '');
      await rename(join(at, 'new'), files[index] ?? '');
      expect(new Set(await it.tells(name))).toEqual(new Set([name]));
    }
  });

  test('a file is told of whose directories came to be one after the other, and went', async () => {
    const at = await folder();
    const it = await watching(await connect(), [join(at, 'a', 'b', 'app.env'), join(at, 'other.env')]);
    await mkdir(join(at, 'a', 'b'), { recursive: true });
    await it.tells('app.env');
    // Of one file alone it is told by what happens to it, of all when it begins anew.
    const written = async () => (await writeFile(join(at, 'a', 'b', 'app.env'), ''), new Set(it.since()));
    await expect.poll(written, { timeout: 5_000 }).toEqual(new Set(['app.env']));
    await rm(join(at, 'a'), { recursive: true });
    await it.tells('app.env');
    await it.tells('other.env');
    await mkdir(join(at, 'a'));
    await it.tells('other.env');
  });

  test.each([
    ['a login of its own', undefined],
    // sshd passes no signal on to a forced command: the end of its input has to do.
    ['a forced command', 'powerless'],
  ] as const)('nothing of it is left there when the signal aborts, with %s', async (_name, which) => {
    const at = await folder();
    if (which && server.powerlessKey === undefined) return expect(process.getuid?.()).not.toBe(0);
    const it = await watching(await connect(which && server.powerlessKey !== undefined ? { privateKey: server.powerlessKey } : {}), [join(at, 'app.env')]);
    expect(await inotifywaitsBelow(at)).toHaveLength(1);
    it.abort();
    await it.ended;
    await expect.poll(() => inotifywaitsBelow(at), { timeout: 5_000 }).toEqual([]);
  });

  test('nothing of it is left there when the connection is lost, which is unavailable', async () => {
    const at = await folder();
    const proxy = await startTcpProxy(server);
    onTestFinished(() => proxy.stop());
    const it = await watching(await connect({ host: proxy.host, port: proxy.port }), [join(at, 'app.env')]);
    proxy.watch({ how: 'reset', direction: 'reply', after: 0 });
    await writeFile(join(at, 'app.env'), '');
    await failure(it.ended, 'unavailable');
    await expect.poll(() => inotifywaitsBelow(at), { timeout: 5_000 }).toEqual([]);
  });

  test('it is unavailable when the program is killed there', async () => {
    const at = await folder();
    const it = await watching(await connect(), [join(at, 'app.env')]);
    for (const pid of await inotifywaitsBelow(at)) process.kill(Number(pid), 'SIGKILL');
    expect((await failure(it.ended, 'unavailable')).message).toMatch(/^watch of files on .*@127\.0\.0\.1:\d+: it ended/);
  });

  test('it is unsupported where inotifywait is missing, and the message says what to install', async () => {
    const tools = await folder();
    const folders = (process.env['PATH'] ?? '').split(':').filter((path) => path.startsWith('/usr') || path === '/bin');
    for (const path of folders)
      for (const name of await readdir(path)) if (name !== 'inotifywait') await symlink(join(path, name), join(tools, name)).catch(() => undefined);
    const bare = await startSshd({ config: [`ForceCommand env PATH=${tools} sh -c "$SSH_ORIGINAL_COMMAND"`] });
    onTestFinished(() => bare.stop());
    const sink = await connect({}, bare);
    const error = await failure(
      sink.watch?.([placeAt(join(tools, 'app.env'))], () => undefined, AbortSignal.timeout(5_000)) ?? Promise.resolve(),
      'unsupported',
    );
    expect(error.message).toMatch(/install inotify-tools; until then targets are polled$/);
  });

  test('it is unsupported for a directory that may not be listed, and unavailable where nothing is inside of the root', async () => {
    const at = await folder();
    const begin = async (login: SshLogin, file: string) =>
      (await connect(login)).watch?.([placeAt(file)], () => undefined, AbortSignal.timeout(5_000)) ?? Promise.resolve();
    if (server.powerlessKey !== undefined) {
      await chmod(at, 0o711);
      const error = await failure(begin({ privateKey: server.powerlessKey }, join(at, 'app.env')), 'unsupported');
      expect(error.message).toContain('may not be listed');
    }
    await failure(begin({ root: at }, '/etc/app.env'), 'unavailable');
    await failure(begin({ root: join(at, 'nowhere') }, join(at, 'nowhere', 'app.env')), 'unavailable');
  });
});
