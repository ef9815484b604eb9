import { SinkError, type SinkErrorReason } from '../errors.ts';
import { isTlsCode } from '../tls-code.ts';

/** The server answered with one of its error codes. */
export class ServerRefusal extends Error {
  override readonly name = 'ServerRefusal';
  readonly code: number;

  constructor(code: number) {
    super(`the server refused with ${code}`);
    this.code = code;
  }
}

/** There is no connection (any more). The message says why, in our words only. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
  readonly reason: SinkErrorReason;

  constructor(message: string, reason: SinkErrorReason = 'unavailable') {
    super(message);
    this.reason = reason;
  }
}

/** Which server the cause is about. */
export class NotConnected extends Error {
  override readonly name = 'NotConnected';
  readonly address: string;

  constructor(address: string, cause: unknown) {
    super('not connected', { cause });
    this.address = address;
  }
}

/** Of an error of the socket. */
export function connectionLost({ code = '' }: NodeJS.ErrnoException): ConnectionLost {
  if (isTlsCode(code)) return new ConnectionLost(`the TLS connection failed (${code}); check tls.ca, tls.servername and the certificate`, 'rejected');
  return new ConnectionLost(code === '' ? 'the connection was lost' : `not reachable (${code})`);
}

/** ZooKeeper's error codes, as its KeeperException has them. */
export const CODE = { unimplemented: -6, noNode: -101, noAuth: -102, badVersion: -103, nodeExists: -110, notEmpty: -111 } as const;

const KNOWN: Readonly<Record<number, readonly [SinkErrorReason, string]>> = {
  [-4]: ['unavailable', 'the server lost the connection to its leader'],
  [CODE.unimplemented]: ['unsupported', 'the server does not know the request; ZooKeeper 3.5 or newer is needed'],
  [-7]: ['unavailable', 'the server did not get it done in time'],
  [-8]: ['rejected', 'the server refused the path of a znode'],
  [CODE.noNode]: ['conflict', 'a znode was removed since it was read'],
  [CODE.noAuth]: ['unauthorized', 'the credentials have no permission for it; docs/sinks/zookeeper.md has the ACL'],
  [CODE.badVersion]: ['conflict', 'it changed since it was read'],
  [-108]: ['rejected', 'a znode above it is ephemeral and cannot have children'],
  [CODE.nodeExists]: ['conflict', 'somebody else made it since it was read'],
  [CODE.notEmpty]: ['rejected', 'it cannot be deleted, since its znode has children that varTrack did not write; remove them, or protect the key'],
  [-112]: ['unavailable', 'the session has expired'],
  [-114]: ['rejected', 'the server refused the ACL; correct acl, and give auth if one of its entries has the scheme auth'],
  [-115]: ['unauthorized', 'the server refused the authentication'],
  [-118]: ['unavailable', 'the session moved to another server'],
  [-119]: ['unavailable', 'the server is read-only, since it has lost its ensemble'],
  [-124]: ['unauthorized', 'the server asks for an authentication by SASL, which the sink does not have'],
  [-125]: ['too-large', 'it would exceed the quota of the znode'],
  [-127]: ['throttled', 'the server asks to be called less often'],
};

/** What went wrong at `label`. */
export function zooKeeperError(label: string, error: unknown): SinkError {
  if (error instanceof SinkError) return error;
  if (error instanceof NotConnected) return zooKeeperError(`${label} at ${error.address}`, error.cause);
  if (error instanceof ConnectionLost) return new SinkError(error.reason, `${label}: ${error.message}`);
  if (!(error instanceof ServerRefusal)) return new SinkError('unavailable', `${label}: the call failed for an unknown reason`, { cause: error });
  const [reason, message] = KNOWN[error.code] ?? ['rejected', `the server refused with code ${error.code}`];
  return new SinkError(reason, `${label}: ${message}`);
}
