import { createHash } from 'node:crypto';
import pLimit from 'p-limit';
import type { Client } from 'ssh2';
import { abortable } from '../abortable.ts';
import { SinkError } from '../errors.ts';
import { credentialFailure } from '../read-credential.ts';
import { createCollector, encodeRequest, MAX_OUTPUT_BYTES, MAX_STDERR_BYTES, type Shell, type ShellRequest, type ShellResult } from './shell.ts';
import { openChannel } from './ssh-channel.ts';
import { followInotifywait } from './ssh-watch.ts';

export interface SshShellOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** `SHA256:…`, as `ssh-keygen -lf` prints it. */
  readonly hostKey: string;
  readonly connectTimeoutMs: number;
  /** Reads the credentials; called for every new connection, so that a rotated key is picked up. */
  readonly credentials: () => Promise<{ readonly privateKey?: string; readonly passphrase?: string; readonly password?: string }>;
}

// sshd allows 10 sessions on a connection (MaxSessions), of which a watch takes one; what goes beyond it is refused.
const MAX_CHANNELS = 8;
const KEEPALIVE_INTERVAL_MS = 5_000;

/** Runs `sh` on another machine: one connection, made when it is needed and again when it was lost, a channel for each call. */
export function createSshShell(options: SshShellOptions): Shell {
  const name = `${options.user}@${options.host}:${options.port}`;
  const limit = pLimit(MAX_CHANNELS);
  const closing = new AbortController();
  let connection: Promise<Client> | undefined;

  function connected(): Promise<Client> {
    const forget = (): void => {
      if (connection === attempt) connection = undefined;
    };
    const attempt = (connection ??= openConnection(options, name, forget));
    attempt.catch(forget);
    return attempt;
  }

  return {
    host: name,
    async run(request) {
      const signal = AbortSignal.any([request.signal, closing.signal]);
      const refuse = (): SinkError => new SinkError('unavailable', closing.signal.aborted ? 'the sink was closed' : 'the call was cancelled');
      return abortable(signal, refuse, () =>
        limit(async () => {
          const client = await connected();
          if (signal.aborted) throw refuse();
          return await execute(client, { ...request, signal });
        }),
      );
    },
    async watch(request) {
      const signal = AbortSignal.any([request.signal, closing.signal]);
      const refuse = (): SinkError => new SinkError('unavailable', closing.signal.aborted ? 'the sink was closed' : 'the call was cancelled');
      try {
        await abortable(signal, refuse, async () => {
          const channel = await openChannel(await connected(), { ...request, signal });
          await followInotifywait(channel, { ...request, signal });
        });
      } catch (error) {
        if (!request.signal.aborted) throw error;
      }
    },
    async close() {
      closing.abort();
      const client = await connection?.catch(() => undefined);
      client?.end();
    },
  };
}

async function openConnection(options: SshShellOptions, name: string, onLost: () => void): Promise<Client> {
  // Loaded here, so that a deployment without such a sink does not pay for it.
  const { Client } = await import('ssh2').then((module) => module.default);
  const credentials = await options.credentials().catch((error: unknown) => {
    throw credentialFailure('a credential could not be read', error);
  });
  const client = new Client();
  const { promise, resolve, reject } = Promise.withResolvers<Client>();
  let strangeKey: string | undefined;
  client.on('ready', () => {
    // Each call is a few small packets that wait for one another.
    client.setNoDelay(true);
    resolve(client);
  });
  client.on('error', (error) => reject(explain(error, strangeKey, options)));
  client.on('close', () => {
    onLost();
    reject(new SinkError('unavailable', 'the connection was closed before it was ready'));
  });
  try {
    client.connect({
      host: options.host,
      port: options.port,
      username: options.user,
      ...credentials,
      readyTimeout: options.connectTimeoutMs,
      keepaliveInterval: KEEPALIVE_INTERVAL_MS,
      keepaliveCountMax: 2,
      hostVerifier: (key: Buffer) => {
        const presented = `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
        if (presented === options.hostKey) return true;
        strangeKey = `${presented} (${key.subarray(4, 4 + key.readUInt32BE(0)).toString('latin1')})`;
        return false;
      },
    });
  } catch (cause) {
    // Only a key that cannot be parsed gets here; the library's message says why, and nothing of the key.
    throw new SinkError('unauthorized', `the private key for ${name} cannot be used: ${cause instanceof Error ? cause.message : 'unknown format'}`);
  }
  try {
    return await promise;
  } catch (error) {
    client.destroy();
    throw error;
  }
}

function explain(error: Error & { level?: string; code?: unknown }, strangeKey: string | undefined, options: SshShellOptions): SinkError {
  if (strangeKey !== undefined) {
    return new SinkError(
      'rejected',
      `the host key is not the expected one: it presented ${strangeKey}, hostKey says ${options.hostKey}; if the host was set up anew, check the new key there with ssh-keygen -lf and change hostKey`,
    );
  }
  if (error.level === 'client-authentication') {
    return new SinkError('unauthorized', `the server refused the login of ${options.user}; check the key or password and the server's authorized_keys`);
  }
  return new SinkError('unavailable', `no connection: ${error.message}`, { cause: error });
}

async function execute(client: Client, request: ShellRequest): Promise<ShellResult> {
  const channel = await openChannel(client, request);
  const stdout = createCollector(MAX_OUTPUT_BYTES);
  const stderr = createCollector(MAX_STDERR_BYTES);
  const { promise, resolve, reject } = Promise.withResolvers<ShellResult>();
  let code: number | null = null;
  const kill = (reason: string): void => {
    reject(new SinkError('unavailable', reason));
    channel.signal('KILL');
    channel.close();
  };
  const onAbort = (): void => kill('the call was cancelled');
  const timer = setTimeout(() => kill(`no answer within ${request.timeoutMs / 1000} s`), request.timeoutMs);
  request.signal.addEventListener('abort', onAbort, { once: true });
  channel.on('data', stdout.add);
  channel.stderr.on('data', stderr.add);
  channel.on('error', (cause: Error) => reject(new SinkError('unavailable', 'the connection was lost', { cause })));
  channel.on('exit', (exitCode: number | null) => void (code = exitCode));
  channel.on('close', () => resolve({ stdout: stdout.bytes(), stderr: stderr.bytes().toString('utf8'), code }));
  channel.end(encodeRequest(request));
  if (request.signal.aborted) onAbort();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    request.signal.removeEventListener('abort', onAbort);
  }
}
