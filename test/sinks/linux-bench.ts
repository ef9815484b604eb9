import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { linux, type LinuxFields } from '../../sinks/linux.ts';
import { createLinuxSink } from '../../sinks/linux/connection.ts';
import { writeDocument } from '../../sinks/leaf-document.ts';
import { createLocalShell } from '../../sinks/linux/local.ts';
import type { Place, Sink } from '../../sinks/sink.ts';
import { freePort } from '../servers/free-port.ts';
import { startSshd, type SshServer } from '../servers/sshd.ts';
import type { Bench, ContractLeg, Fault } from './contract.ts';
import { startSilentServer } from './silent-server.ts';

const isRoot = process.getuid?.() === 0;
/** Runs what follows without any of root's rights. */
const powerless = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'sh'] as const;

const refuses: Readonly<Record<string, readonly string[]>> = {
  // Names are those of POSIX; a value is one that sh and dotenv readers take alike.
  env: [
    'a value with line breaks',
    'a value with quotes',
    'a key with a space',
    'a key with quotes',
    'a key with a backslash',
    'a key with signs',
    'a key in another script',
    'a key that is a number',
  ],
  ini: ['a key with signs'],
};

/** What the legs of a format have in common, whatever the transport. */
export function legFor(format: string): Pick<ContractLeg, 'definition' | 'destination' | 'refuses' | 'large'> {
  // The parser of TOML that gives positions matches a string by one regular expression, which takes about 100,000 characters.
  const large = format === 'toml' ? { large: { characters: 50_000 } } : {};
  return { definition: linux, destination: { format }, refuses: refuses[format] ?? [], ...large };
}

/** A watch knows names only. */
function watchOf(format: string): ContractLeg['cannot'] {
  return format === 'json' ? {} : { watch: 'the same for every format, of which json is tried' };
}

const noServer = 'there is no server: the commands run on this machine';

/** Below the calls that it cuts, test/sinks/linux/connection.test.ts kills the script at every one of its steps. */
export function localLeg(format: string): ContractLeg {
  const cannot = { 'wrong-credentials': noServer, gone: noServer, silent: noServer, outage: noServer, ...watchOf(format) };
  return { ...legFor(format), cuts: true, cannot, start: startLocalBench };
}

/** The scripts and the documents are those of the local legs, which try every value by itself. */
export function sshLeg(format: string): ContractLeg {
  return { ...legFor(format), values: 'together', connections: 'shared', cannot: { ...watchOf(format) }, start: startSshBench };
}

// In memory where there is such a place: the suite writes thousands of times, and waiting for the disk at each fsync proves nothing here.
const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A directory that everybody may enter, as `/srv` is. */
export async function makeRoot(): Promise<string> {
  const root = await mkdtemp(join(scratch, 'vartrack-linux-'));
  await chmod(root, 0o755);
  return root;
}

export function connectLocal(root: string): Promise<Sink> {
  return linux.connect(linux.options.parse({ transport: 'local', root }), () => Promise.reject(new Error('no credential is needed')));
}

export interface SshLogin {
  readonly host?: string;
  readonly port?: number;
  readonly privateKey?: string;
  readonly root?: string;
  readonly hostKey?: string;
  readonly connectTimeout?: string;
  readonly timeout?: string;
}

export function connectSsh(server: SshServer, login: SshLogin = {}): Promise<Sink> {
  const { privateKey = server.privateKey, ...rest } = login;
  const options = {
    transport: 'ssh',
    host: server.host,
    port: server.port,
    user: server.user,
    privateKey: { env: 'KEY' },
    hostKey: server.hostKeyFingerprint,
    ...rest,
  };
  return linux.connect(linux.options.parse(options), async () => privateKey);
}

export function sidecar(file: string, suffix = ''): string {
  return join(dirname(file), `.${basename(file)}.vartrack${suffix}`);
}

export async function startLocalBench(): Promise<Bench> {
  const root = await makeRoot();
  return {
    ...filesBelow(root),
    connect: () => connectLocal(root),
    connectCut: async (cut) => {
      const shell = createLocalShell();
      return createLinuxSink({ ...shell, run: (request) => cut(() => shell.run(request)) }, { root, timeoutMs: 10_000 });
    },
    fault: async (fault) => {
      const place = await restrictedPlace(root, fault);
      const shell = isRoot ? createLocalShell({ command: powerless }) : createLocalShell();
      return { sink: createLinuxSink(shell, { root, timeoutMs: 10_000 }), place };
    },
    stop: () => rm(root, { recursive: true, force: true }),
  };
}

export async function startSshBench(): Promise<Bench> {
  const [root, server, silent] = await Promise.all([makeRoot(), startSshd(), startSilentServer()]);
  const files = filesBelow(root);
  const loginFor = async (fault: Fault): Promise<SshLogin> => {
    switch (fault) {
      case 'wrong-credentials':
        return { privateKey: server.strangerKey };
      case 'gone':
        return { port: await freePort() };
      case 'silent':
        return { port: silent.port, connectTimeout: '2s' };
      case 'no-permission':
      case 'read-only':
        return server.powerlessKey === undefined ? {} : { privateKey: server.powerlessKey };
    }
  };
  return {
    ...files,
    connect: () => connectSsh(server),
    connectThrough: async (via) => {
      const { host, port } = await via(server);
      return connectSsh(server, { host, port, connectTimeout: '2s' });
    },
    fault: async (fault) => ({ sink: await connectSsh(server, await loginFor(fault)), place: await restrictedPlace(root, fault) }),
    outage: { begin: () => server.pause(), end: () => server.resume() },
    stop: async () => {
      await Promise.all([server.stop(), silent.stop()]);
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** A file in a directory that a user without rights (or we, where we are no root) cannot enter, or cannot write. */
async function restrictedPlace(root: string, fault: Fault): Promise<Place> {
  const directory = join(root, randomUUID());
  await mkdir(directory);
  const may = { 'no-permission': isRoot ? 0o700 : 0, 'read-only': isRoot ? 0o755 : 0o555 };
  if (fault === 'no-permission' || fault === 'read-only') await chmod(directory, may[fault]);
  const fields: LinuxFields = linux.destination.parse({ format: 'json' });
  return { name: join(directory, 'app.json'), layout: fields.layout, fields };
}

function filesBelow(root: string): Pick<Bench, 'placeName' | 'write' | 'writeLedger' | 'look' | 'traceOfWrites' | 'spoil'> {
  const put = async (name: string, bytes: string | Uint8Array): Promise<void> => {
    await mkdir(dirname(name), { recursive: true });
    await writeFile(name, bytes);
  };
  return {
    placeName: () => join(root, randomUUID(), 'app.conf'),
    write: (place, entries) =>
      entries.length === 0 ? rm(place.name, { force: true }) : put(place.name, writeDocument(entries, [], (place.fields as LinuxFields).layout)),
    writeLedger: (place, text) => put(sidecar(place.name), text),
    look: async ({ name }) => {
      const [bytes, status, ledger, undo] = await Promise.all([
        readOrNull(name),
        statOrNull(name),
        readOrNull(sidecar(name)),
        readOrNull(sidecar(name, '.undo')),
      ]);
      const content = bytes && status && { text: bytes.toString('latin1'), mode: status.mode, uid: status.uid, gid: status.gid };
      return { content, ledger: ledger?.toString('utf8') ?? null, undo: undo?.toString('latin1') ?? null };
    },
    traceOfWrites: ({ name }) =>
      Promise.all(
        [name, sidecar(name), sidecar(name, '.undo')].map(async (each) => {
          const status = await statOrNull(each);
          return status && [status.ino, status.mtimeNs, status.ctimeNs];
        }),
      ),
    spoil: (place) => put(place.name, Buffer.from([0x61, 0xff, 0xfe, 0x0a])),
  };
}

async function readOrNull(path: string): Promise<Buffer | null> {
  return orNull(readFile(path));
}

async function statOrNull(path: string) {
  return orNull(stat(path, { bigint: true }));
}

async function orNull<Result>(attempt: Promise<Result>): Promise<Result | null> {
  return attempt.catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}
