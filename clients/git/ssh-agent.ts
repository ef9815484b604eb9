import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { GitError } from './git-error.ts';

/** An ssh-agent that holds one private key in memory, so that the key is in no file, argument or environment. */
export interface SshAgent {
  readonly socket: string;
  /** Whether it still answers. */
  alive(): Promise<boolean>;
  close(): Promise<void>;
}

/** @param socket a path in a directory that only this user may enter */
export async function startSshAgent(socket: string, privateKey: string): Promise<SshAgent> {
  const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: '/nonexistent', LC_ALL: 'C' };
  // The agent ends with its command, and that ends when our end of its input closes: also when this process is killed.
  const holder = spawn('ssh-agent', ['-a', socket, 'sh', '-c', 'echo "$SSH_AGENT_PID"; exec cat'], { cwd: '/', env, stdio: 'pipe', detached: true });
  holder.stdin.on('error', () => undefined);
  const ended = once(holder, 'close').catch(() => undefined);
  const complaint = text(holder.stderr);
  const first = await Promise.race([once(holder.stdout, 'data'), ended]).catch(() => undefined);
  const pid = Number(String((first as readonly unknown[] | undefined)?.[0]));
  if (!Number.isSafeInteger(pid) || pid <= 1) {
    throw new GitError('unavailable', `an ssh-agent could not be started (${(await complaint).trim().slice(0, 200)}); install OpenSSH's client programs`);
  }

  const close = async (): Promise<void> => {
    try {
      process.kill(pid, 'SIGTERM');
    } catch {
      // It has ended by itself.
    }
    holder.stdin.end();
    await ended;
  };
  try {
    await addKey(socket, privateKey, env);
  } catch (error) {
    await close();
    throw error;
  }
  return { socket, alive: () => answers(socket), close };
}

async function addKey(socket: string, privateKey: string, env: Record<string, string>): Promise<void> {
  const add = spawn('ssh-add', ['-q', '-'], { cwd: '/', env: { ...env, SSH_AUTH_SOCK: socket, SSH_ASKPASS_REQUIRE: 'never' }, stdio: 'pipe', detached: true });
  add.stdin.on('error', () => undefined);
  add.stdin.end(privateKey.endsWith('\n') ? privateKey : `${privateKey}\n`);
  const timer = setTimeout(() => add.kill('SIGKILL'), 10_000);
  const [complaint, [code]] = await Promise.all([text(add.stderr), once(add, 'close')]).finally(() => clearTimeout(timer));
  if (code === 0) return;
  throw new GitError(
    'unauthorized',
    `the key of credentials.sshKey cannot be used (${complaint.trim().slice(0, 200)}); it must be an OpenSSH private key without a passphrase`,
  );
}

async function answers(path: string): Promise<boolean> {
  const socket = connect({ path });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
