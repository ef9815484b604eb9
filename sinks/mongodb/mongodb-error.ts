import { SinkError, type SinkErrorReason } from '../errors.ts';
import { isTlsCode } from '../tls-code.ts';

const NO_PERMISSION = 'the user has no permission for it; docs/sinks/mongodb.md has the role';

const CODES: Readonly<Record<number, readonly [reason: SinkErrorReason, message: string]>> = {
  13: ['unauthorized', NO_PERMISSION],
  18: ['unauthorized', 'user or password is wrong, or authSource is not the database that knows the user'],
  8000: ['unauthorized', 'the user is not known or has no permission for it'],
  11000: ['conflict', 'a document was made since it was read, or a unique index of the collection refuses it'],
  112: ['conflict', 'somebody else writes it at the same time'],
  10334: ['too-large', 'a document is larger than the server takes'],
  17280: ['too-large', 'a key is larger than the server takes'],
  17419: ['too-large', 'a document is larger than the server takes'],
  17420: ['too-large', 'a document is larger than the server takes'],
  15: ['unsupported', 'it is nested deeper than the server takes'],
  52: ['unsupported', 'the server takes no names of fields that begin with $; set names: plain to be told earlier'],
  55: ['unsupported', 'the server takes no such _id'],
  57: ['unsupported', 'the server takes no names of fields with a dot; set names: plain to be told earlier'],
  59: ['unsupported', 'the server does not know a command that the sink needs'],
  73: ['rejected', 'the server takes no such name of a database or collection'],
  121: ['rejected', 'a validation rule of the collection refuses the document; adapt the rule, or choose another place'],
  166: ['rejected', 'the place is a view; choose a collection'],
  238: ['unsupported', 'the server does not implement what the sink needs'],
  16500: ['throttled', 'the server asks to be called less often'],
  50: ['unavailable', 'no answer in time'],
  262: ['unavailable', 'no answer in time'],
  64: ['unavailable', 'too few members had the write in time; it may be done'],
  79: ['rejected', 'there is no such writeConcern; correct it'],
  100: ['rejected', 'the replica set has fewer members than writeConcern asks for; correct it'],
  26: ['conflict', 'the collection was removed since it was read'],
};

/** No primary, or not for long: the driver looks for another one. */
const MOVING = new Set([6, 7, 89, 91, 189, 9001, 10058, 10107, 11600, 11602, 13435, 13436]);

/** What went wrong, in our words only: the server's quote documents and filters, and so values, and the driver keeps them as well. */
export function mongodbError(label: string, error: unknown): SinkError {
  if (error instanceof SinkError) return error;
  const { name, code, codeName } = partsOf(error);
  if (code !== undefined) return commandError(label, code, codeName);
  if (/^(MongoParseError|MongoInvalidArgumentError|MongoMissingCredentialsError|MongoAPIError)$/.test(name))
    return new SinkError('rejected', `${label}: the driver refused the options or the command (${name})`);
  const socketCode = socketCodeOf(error);
  if (isTlsCode(socketCode)) return new SinkError('rejected', `${label}: the TLS connection failed (${socketCode}); check tls.ca, the url and the certificate`);
  if (name === 'MongoServerSelectionError' && serversOf(error).every((server) => !server.error))
    return new SinkError('unavailable', `${label}: none of the servers is the primary that was asked for; look at the set, at url and at replicaSet`);
  if (/Timeout/.test(name)) return new SinkError('unavailable', `${label}: no answer in time`);
  return new SinkError('unavailable', `${label}: not reachable (${socketCode || name || 'connection lost'})`);
}

/** A client whose first connection broke while it was made says this to every call from then on; only a new one connects again. */
export function isSpent(error: unknown): boolean {
  return error instanceof Error && error.name === 'MongoTopologyClosedError';
}

/** Whether the server does not take the user or the password, rather than what was asked of it. */
export function isLoginRefused(error: unknown): boolean {
  return partsOf(error).code === 18;
}

/** A failure that a reply tells by its code. */
export function commandError(label: string, code: number, codeName: string): SinkError {
  const known = CODES[code];
  if (known) return new SinkError(known[0], `${label}: ${known[1]}`);
  if (MOVING.has(code)) return new SinkError('unavailable', `${label}: there is no primary at the moment (${codeName || code})`);
  return new SinkError('rejected', `${label}: the server refused the command with ${code} ${codeName}`.trimEnd());
}

interface Parts {
  readonly name: string;
  readonly code: number | undefined;
  readonly codeName: string;
}

function partsOf(error: unknown): Parts {
  const given = (typeof error === 'object' && error !== null ? error : {}) as { readonly name?: unknown; readonly code?: unknown; readonly codeName?: unknown };
  const code = typeof given.code === 'object' && given.code !== null ? Number(given.code) : given.code;
  return { name: wordOf(given.name), code: typeof code === 'number' ? code : undefined, codeName: wordOf(given.codeName) };
}

/** Why no server could be selected is in what the driver knows of each. */
function socketCodeOf(error: unknown): string {
  for (let at = error, depth = 0; typeof at === 'object' && at !== null && depth < 6; depth++) {
    const { code, cause } = at as { readonly code?: unknown; readonly cause?: unknown };
    if (typeof code === 'string') return wordOf(code);
    at = serversOf(at).find((server) => server.error)?.error ?? cause;
  }
  return '';
}

/** Those that the driver knew when it found none to send a command to. */
function serversOf(error: unknown): readonly { readonly error?: unknown }[] {
  const { reason } = (error ?? {}) as { readonly reason?: { readonly servers?: unknown } };
  return reason?.servers instanceof Map ? [...reason.servers.values()] : [];
}

/** A code and nothing else: what a server puts in its place could quote anything. */
function wordOf(text: unknown): string {
  return typeof text === 'string' && /^[A-Za-z0-9._-]{1,60}$/.test(text) ? text : '';
}
