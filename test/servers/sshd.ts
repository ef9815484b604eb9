import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { programOf } from './program-of.ts';
import { startProcess, type ServerProcess } from './start-process.ts';

const NOBODY = 65_534;

export interface SshServer {
  readonly host: string;
  readonly port: number;
  /** The user that runs the tests: sshd takes no other without root. */
  readonly user: string;
  /** OpenSSH private key that may log in. */
  readonly privateKey: string;
  /** `SHA256:…` */
  readonly hostKeyFingerprint: string;
  /** Content of a known_hosts file for this server. */
  readonly knownHosts: string;
  /** A key whose commands run without any rights of ours, as `nobody`; undefined where the tests do not run as root. */
  readonly powerlessKey: string | undefined;
  /** A well-formed key that the server does not know. */
  readonly strangerKey: string;
  /** How many connections are open. */
  connections(): Promise<number>;
  /** Ends the server and every open connection. */
  stop(): Promise<void>;
  /** Starts it again at its address, after `pause`. */
  resume(): Promise<void>;
  /** Ends the server and every open connection, and keeps its keys for `resume`. */
  pause(): Promise<void>;
}

/** Starts a real sshd with its own keys on a free port of 127.0.0.1. */
export async function startSshd(options: { readonly config?: readonly string[] } = {}): Promise<SshServer> {
  const program = await programOf('sshd');
  const directory = await mkdtemp(join(tmpdir(), 'vartrack-sshd-'));
  const at = (name: string): string => join(directory, name);
  await Promise.all(['host', 'login', 'powerless', 'stranger'].map((name) => generateKey(at(name))));
  const [hostKey, login, powerless] = await Promise.all(['host', 'login', 'powerless'].map((name) => readFile(at(`${name}.pub`), 'utf8')));
  const isRoot = process.getuid?.() === 0;
  await writeFile(at('nobody.sh'), `#!/bin/sh\nexec setpriv --reuid=${NOBODY} --regid=${NOBODY} --clear-groups sh -c "$SSH_ORIGINAL_COMMAND"\n`, {
    mode: 0o755,
  });
  await writeFile(at('authorized_keys'), isRoot ? `${login}command="sh ${at('nobody.sh')}" ${powerless}` : String(login));
  await writeFile(
    at('sshd_config'),
    [
      `HostKey ${at('host')}`,
      `AuthorizedKeysFile ${at('authorized_keys')}`,
      `PidFile ${at('pid')}`,
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin yes',
      // Tests log in many times at once; the default drops some of more than ten.
      'MaxStartups 100',
      'Subsystem sftp internal-sftp',
      // Login shells read ~/.bashrc for a command too; what a developer keeps there is not part of a test.
      `SetEnv HOME=${directory}`,
      ...(options.config ?? []),
      '',
    ].join('\n'),
  );
  if (isRoot) await promisify(execFile)('mkdir', ['-p', '/run/sshd']);

  const start = (port?: number): Promise<ServerProcess> =>
    startProcess({
      program,
      port,
      args: (chosen) => ['-D', '-e', '-f', at('sshd_config'), '-o', `Port=${chosen}`, '-o', 'ListenAddress=127.0.0.1'],
      ready: saysItsName,
    });
  let server = await start();
  const { port } = server;

  async function pause(): Promise<void> {
    // The processes of open connections outlive the one that listens, and keep its output open.
    const sessions = await descendantsOf(server.pid);
    const stopped = server.stop();
    for (const pid of sessions) killQuietly(pid);
    await stopped;
  }

  const [type = '', key = ''] = String(hostKey).split(' ');
  return {
    host: '127.0.0.1',
    port,
    user: userInfo().username,
    privateKey: await readFile(at('login'), 'utf8'),
    hostKeyFingerprint: `SHA256:${createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64').replace(/=+$/, '')}`,
    knownHosts: `[127.0.0.1]:${port} ${type} ${key}\n`,
    powerlessKey: isRoot ? await readFile(at('powerless'), 'utf8') : undefined,
    strangerKey: await readFile(at('stranger'), 'utf8'),
    connections: async () => (await childrenOf(server.pid)).length,
    pause,
    resume: async () => void (server = await start(port)),
    async stop() {
      await pause();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function generateKey(path: string): Promise<void> {
  await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'vartrack-test', '-f', path]);
}

async function saysItsName(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    socket.setTimeout(1_000, () => socket.destroy());
    for await (const chunk of socket) return String(chunk).startsWith('SSH-2.0-');
    return false;
  } finally {
    socket.destroy();
  }
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return children.trim().split(/\s+/).filter(Boolean).map(Number);
}

async function descendantsOf(pid: number): Promise<readonly number[]> {
  const pids = await childrenOf(pid);
  return [...pids, ...(await Promise.all(pids.map(descendantsOf))).flat()];
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
