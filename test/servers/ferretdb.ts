import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { MongoClient } from 'mongodb';

import { createTurns, startFerretProxy, WRITES, type FerretProxy } from './ferretdb-proxy.ts';
import { programOf } from './program-of.ts';
import { startProcess, type ServerProcess } from './start-process.ts';

export interface FerretServer {
  /** `mongodb://127.0.0.1:port`, of one that passes writes on in turn. */
  readonly url: string;
  /** The same server for somebody with fewer rights. */
  readonly urls: Readonly<Record<FerretUser, string>>;
  /** A client with all rights, past all proxies. `stop` closes it. */
  readonly client: MongoClient;
  /** How many commands that may write came to `url`. */
  writes(): number;
  stop(): Promise<void>;
  /** SIGKILL, and then the same server with its data at the same address. */
  readonly outage: { begin(): Promise<void>; end(): Promise<void> };
}

/** `stranger` is not known, `nobody` may nothing, `reader` may not write. */
export type FerretUser = 'stranger' | 'nobody' | 'reader';

const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const COMMANDS = new Set([...WRITES, 'find']);

/** Starts FerretDB on a free port of 127.0.0.1, with its data in a directory of its own. */
export async function startFerret(): Promise<FerretServer> {
  const folder = await mkdtemp(join(scratch, 'vartrack-ferretdb-'));
  const program = await programOf('ferretdb');
  const start = (port?: number): Promise<ServerProcess> =>
    startProcess({ program, port, args: (free) => ['-listen', `127.0.0.1:${free}`, '-dir', folder], ready: answers });
  let server = await start();
  const { port } = server;
  const turns = createTurns();
  const noRight = { code: 13, codeName: 'Unauthorized' };
  const [all, stranger, nobody, reader] = await Promise.all([
    startFerretProxy(port, turns),
    startFerretProxy(port, turns, (command) => (command === 'saslStart' ? { code: 18, codeName: 'AuthenticationFailed' } : undefined)),
    startFerretProxy(port, turns, (command) => (COMMANDS.has(command) ? noRight : undefined)),
    startFerretProxy(port, turns, (command) => (WRITES.has(command) ? noRight : undefined)),
  ]);
  const client = new MongoClient(`mongodb://127.0.0.1:${port}`, { retryWrites: false });
  const urlOf = (proxy: FerretProxy): string => `mongodb://127.0.0.1:${proxy.port}`;
  return {
    url: urlOf(all),
    urls: { stranger: urlOf(stranger), nobody: urlOf(nobody), reader: urlOf(reader) },
    client,
    writes: () => all.writes(),
    stop: async () => {
      await client.close();
      await Promise.all([all, stranger, nobody, reader].map((proxy) => proxy.stop()));
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
    outage: {
      begin: () => server.kill(),
      end: async () => {
        server = await start(port);
      },
    },
  };
}

async function answers(port: number): Promise<boolean> {
  const client = new MongoClient(`mongodb://127.0.0.1:${port}`, { serverSelectionTimeoutMS: 1_000 });
  try {
    await client.db('admin').command({ ping: 1 });
    return true;
  } finally {
    await client.close();
  }
}
