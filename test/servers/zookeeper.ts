import { existsSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { programOf } from './program-of.ts';
import { startProcess, type ServerProcess } from './start-process.ts';

export interface ZooKeeperServer {
  readonly port: number;
  /** `host:port`, as the sink's option `servers` takes it. */
  readonly address: string;
  /** Sends one of the four-letter words, such as `srvr`. */
  ask(word: string): Promise<string>;
  /** Stops the process without ending it, until the next call of `resume`: it listens and says nothing. */
  freeze(): void;
  resume(): void;
  stop(): Promise<void>;
  /** SIGKILL, and then the same server with its data at the same address. */
  readonly outage: { begin(): Promise<void>; end(): Promise<void> };
}

const JVM = [
  '-Xmx128m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dzookeeper.admin.enableServer=false',
  '-Dzookeeper.4lw.commands.whitelist=*',
  // Everything is gone with the test, so nothing has to reach a disk.
  '-Dzookeeper.forceSync=no',
];
const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Starts a single ZooKeeper on a free port of 127.0.0.1, with its data in a directory of its own. Sessions may be as short as 200 ms. */
export async function startZooKeeper(): Promise<ZooKeeperServer> {
  const folder = await mkdtemp(join(scratch, 'vartrack-zookeeper-'));
  const config = join(folder, 'zoo.cfg');
  const program = await programOf('zookeeper');
  const settings = [`dataDir=${join(folder, 'data')}`, 'clientPortAddress=127.0.0.1', 'tickTime=100', 'maxSessionTimeout=40000', 'maxClientCnxns=0'];
  const start = (port?: number): Promise<ServerProcess> =>
    startProcess({
      program,
      port,
      args: (at) => {
        // There is no other way to give the port.
        writeFileSync(config, [...settings, `clientPort=${at}`, ''].join('\n'));
        return ['start-foreground', config];
      },
      env: { JMXDISABLE: 'true', JVMFLAGS: [...JVM, `-Dzookeeper.log.dir=${folder}`].join(' ') },
      ready: async (at) => (await ask(at, 'ruok')) === 'imok' && (await ask(at, 'srvr')).includes('Mode: standalone'),
    });
  let server = await start();
  const { port } = server;
  return {
    port,
    address: `127.0.0.1:${port}`,
    ask: (word) => ask(port, word),
    freeze: () => void process.kill(server.pid, 'SIGSTOP'),
    resume: () => void process.kill(server.pid, 'SIGCONT'),
    stop: async () => {
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

async function ask(port: number, word: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.setTimeout(2_000, () => socket.destroy(new Error(`no answer to ${word}`)));
  socket.write(word);
  return text(socket);
}
