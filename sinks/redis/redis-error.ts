import { SinkError, type SinkErrorReason } from '../errors.ts';
import { isTlsCode } from '../tls-code.ts';

/** How ioredis says that a command had no reply in time. */
export const TIMED_OUT = 'Command timed out';

/** How a connection says that the server is a replica where a primary was asked for. */
export const NOT_PRIMARY = 'Not a primary';

/** A node of a cluster does not own the slot, and has done nothing. `address` is `host:port` of the node that does; the host may be empty: the same host. */
export class MovedSlot extends SinkError {
  readonly address: string;

  constructor(message: string, address: string) {
    super('rejected', message);
    this.address = address;
  }
}

const REASONS: Readonly<Record<string, readonly [SinkErrorReason, string]>> = {
  NOAUTH: ['unauthorized', 'it asks for a password; set username and password of the sink'],
  WRONGPASS: ['unauthorized', 'it refused the username or password'],
  WRONGTYPE: ['rejected', 'a key holds another type than the layout; remove it, or choose another place'],
  OOM: ['unavailable', 'it is out of memory'],
  READONLY: ['unavailable', 'it is a read-only replica; connect to the primary'],
  LOADING: ['unavailable', 'it is loading its data'],
  BUSY: ['unavailable', 'it is busy with a script'],
  MISCONF: ['unavailable', 'it cannot save to its disk and refuses writes'],
  NOREPLICAS: ['unavailable', 'it has too few replicas to accept writes'],
  CLUSTERDOWN: ['unavailable', 'its cluster is down'],
  MASTERDOWN: ['unavailable', 'its primary is down'],
  TRYAGAIN: ['unavailable', 'its cluster is moving the keys'],
  ASK: ['unavailable', 'its cluster is moving the keys'],
  CROSSSLOT: ['rejected', 'the keys are in several slots of a cluster; give the prefix a hash tag such as {acme}'],
};

/**
 * What went wrong, in our words only. The error itself is never kept as a cause: ioredis hangs the whole command on it, with every value, and some
 * of Redis' own messages quote arguments.
 */
export function redisError(label: string, error: unknown): SinkError {
  const message = error instanceof Error ? error.message : '';
  const isReply = error instanceof Error && error.name === 'ReplyError';
  if (!isReply) {
    const code = codeOf(error);
    if (message === NOT_PRIMARY) return new SinkError('unavailable', `${label}: it is a replica, and its new primary is not known yet`);
    if (message === TIMED_OUT) return new SinkError('unavailable', `${label}: no answer in time`);
    if (code !== undefined && isTlsCode(code))
      return new SinkError('rejected', `${label}: the TLS connection failed (${code}); check tls.ca, tls.servername and the certificate`);
    return new SinkError('unavailable', `${label}: ${code === undefined ? 'the connection was lost' : `not reachable (${code})`}`);
  }
  const owner = /^MOVED \d+ (\S+)/.exec(message)?.[1];
  if (owner !== undefined) return new MovedSlot(`${label}: it is a node of a cluster; write cluster: { nodes: [...] } instead of url`, owner);
  const command = /can't run this command|NOPERM|ACL failure/.test(message) ? (/'([a-z|]+)'/.exec(message)?.[1] ?? null) : undefined;
  if (command !== undefined) {
    const what = command === null ? 'a key of the place, or a command that the sink needs' : `the command ${command}`;
    return new SinkError('unauthorized', `${label}: the user has no permission for ${what}; docs/sinks/redis.md has the ACL`);
  }
  const known = /\b[A-Z]{3,}\b/.exec(message)?.[0] ?? '';
  const mapped = REASONS[known] ?? Object.entries(REASONS).find(([code]) => new RegExp(`\\b${code}\\b`).test(message))?.[1];
  if (mapped) return new SinkError(mapped[0], `${label}: ${mapped[1]}`);
  if (/invalid DB index|DB index is out of range/.test(message)) return new SinkError('rejected', `${label}: it does not have the database that the url names`);
  return new SinkError('rejected', `${label}: it refused the command with ${known || 'an error'}`);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Of a call that nobody waits for any more. */
export function cancelled(label: string): SinkError {
  return new SinkError('unavailable', `${label}: the call was cancelled, or ran out of time`);
}
