import { randomInt } from 'node:crypto';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Login } from './login.ts';
import { addressOf, formatAddress, type Address, type ZooKeeperOptions } from './options.ts';
import { openSession, type Session } from './session.ts';
import { NotConnected } from './zookeeper-error.ts';

/**
 * A new session at one of the servers, with the credentials as they are now. Throws NotConnected, or what reading the credentials does.
 *
 * @param signal ends the attempt, not the session
 * @param onEvent gets the path of each znode that a watch of the session tells of
 */
export type OpenSession = (signal: AbortSignal, onEvent?: (path: string) => void) => Promise<Session>;

/** Begins at any server, and goes on with the next where one cannot be reached. */
export function createEnsemble(options: ZooKeeperOptions, login: () => Promise<Login>): OpenSession {
  const addresses = options.servers.flatMap((server) => addressOf(server) ?? []);
  let next = randomInt(addresses.length);
  return async (signal, onEvent) => {
    const { digest, tls } = await login();
    let failure: unknown;
    for (let tried = 0; tried < addresses.length; tried++) {
      const address = addresses[next++ % addresses.length] ?? { host: '', port: 0 };
      try {
        return await openSession(() => dial(address, tls), { ...options, digest }, signal, onEvent);
      } catch (error) {
        failure = new NotConnected(formatAddress(address), error);
      }
    }
    throw failure;
  };
}

function dial({ host, port }: Address, tls: Login['tls']): Socket {
  return tls ? connectTls({ host, port, ...tls }) : connectPlain({ host, port });
}
