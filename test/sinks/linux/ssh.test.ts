import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { linux } from '../../../sinks/linux.ts';
import type { Place } from '../../../sinks/sink.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startSshd, type SshServer } from '../../servers/sshd.ts';
import { describeSinkContract } from '../contract.ts';
import { contextFor, failure } from '../contract/scenario.ts';
import { connectSsh, makeRoot, sshLeg, type SshLogin } from '../linux-bench.ts';

describeWith(['sshd', 'inotifywait'], 'over SSH', () => {
  describeSinkContract('linux json, ssh', { ...sshLeg('json'), faults: true });

  let server: SshServer;
  let root: string;
  beforeAll(async () => {
    [server, root] = await Promise.all([startSshd(), makeRoot()]);
  });
  afterAll(async () => {
    await server.stop();
    await rm(root, { recursive: true, force: true });
  });

  async function connect(login?: SshLogin) {
    const sink = await connectSsh(server, login);
    onTestFinished(() => sink.close());
    return sink;
  }

  function placeAt(name: string): Place {
    const fields = linux.destination.parse({});
    return { name, layout: fields.layout, fields };
  }

  test('a server with another host key is refused, and the message gives both keys', async () => {
    const hostKey = `SHA256:${'A'.repeat(43)}`;
    const sink = await connect({ hostKey });
    const error = await failure(sink.read(placeAt(join(root, 'app.env')), contextFor([])), 'rejected');
    expect(error.message).toContain(hostKey);
    expect(error.message).toContain(`${server.hostKeyFingerprint} (ssh-ed25519)`);
  });

  test('a key that cannot be parsed is unauthorized, and is not shown', async () => {
    const sink = await connect({ privateKey: '-----BEGIN OPENSSH PRIVATE KEY-----\nsecretive\n-----END OPENSSH PRIVATE KEY-----\n' });
    const error = await failure(sink.read(placeAt(join(root, 'app.env')), contextFor([])), 'unauthorized');
    expect(`${error.message} ${error.stack}`).not.toContain('secretive');
  });

  test('forty calls at once share one connection', async () => {
    const sink = await connect();
    // Those of other tests, and of whoever asked whether the server is there, end a little later.
    await expect.poll(() => server.connections(), { timeout: 5_000 }).toBe(0);
    await sink.read(placeAt(join(root, 'app.env')), contextFor([]));
    const states = await Promise.all(Array.from({ length: 40 }, (_, index) => sink.read(placeAt(join(root, `app-${index}.env`)), contextFor([]))));
    expect(states.every((state) => !state.exists)).toBe(true);
    expect(await server.connections()).toBe(1);
  });

  test('a server with room for two channels only takes them one after the other', async () => {
    const narrow = await startSshd({ config: ['MaxSessions 2'] });
    onTestFinished(() => narrow.stop());
    const sink = await connectSsh(narrow);
    onTestFinished(() => sink.close());
    const states = await Promise.all(Array.from({ length: 24 }, (_, index) => sink.read(placeAt(join(root, `app-${index}.env`)), contextFor([]))));
    expect(states.every((state) => !state.exists)).toBe(true);
    expect(await narrow.connections()).toBe(1);
  });

  test('a server with room for no channel at all is unavailable when the time of the call is over', async () => {
    const none = await startSshd({ config: ['MaxSessions 0'] });
    onTestFinished(() => none.stop());
    const sink = await connectSsh(none, { timeout: '300ms' });
    onTestFinished(() => sink.close());
    const error = await failure(sink.read(placeAt(join(root, 'app.env')), contextFor([])), 'unavailable');
    expect(error.message).toMatch(/no channel/);
  });

  test('a call goes on with a new connection after the old one was lost', async () => {
    const sink = await connect();
    const place = placeAt(join(root, 'app.env'));
    await sink.read(place, contextFor([]));
    await server.pause();
    await failure(sink.read(place, contextFor([])), 'unavailable');
    await server.resume();
    expect((await sink.read(place, contextFor([]))).exists).toBe(false);
  });

  test('a root confines what is reached over SSH too', async () => {
    const sink = await connect({ root });
    await failure(sink.read(placeAt('/etc/hostname'), contextFor([])), 'rejected');
    expect((await sink.read(placeAt(join(root, 'app.env')), contextFor([]))).exists).toBe(false);
  });
});

test('options without a host key or without a credential are refused', () => {
  const good = { transport: 'ssh', host: 'web1', user: 'deploy', privateKey: { env: 'KEY' }, hostKey: `SHA256:${'A'.repeat(43)}` };
  expect(linux.options.safeParse(good).success).toBe(true);
  for (const name of ['hostKey', 'privateKey'] as const) {
    const { [name]: _left, ...rest } = good;
    expect(linux.options.safeParse(rest).success).toBe(false);
  }
  expect(linux.options.safeParse({ ...good, password: 'literal' }).success).toBe(false);
  expect(linux.options.safeParse({ ...good, other: 1 }).success).toBe(false);
});
