import { SinkError, type SinkErrorReason } from '../errors.ts';
import { MAX_FILE_BYTES, type ShellResult } from './shell.ts';

/** What a script said: `name` → rest of its line, and what its last line ends with. */
export interface Reply {
  readonly end: string;
  readonly lines: ReadonlyMap<string, string>;
}

/** Reads a script's output. One that does not end as every script ends was cut off, and is a failure whatever it held. */
export function parseReply(result: ShellResult, where: string): Reply {
  const text = result.stdout.toString('latin1');
  const lines = new Map<string, string>();
  let name = '';
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ');
    // A value that goes on; joining megabytes line by line is left to the strings of the engine, which do it by reference.
    if (space < 0) lines.set(name, (lines.get(name) ?? '') + line);
    else lines.set((name = line.slice(0, space)), line.slice(space + 1));
  }
  const rest = text.endsWith('\n') ? (lines.get(name) ?? '') : '';
  if (!text.endsWith('\n')) name = '';
  if (name === 'end') return { end: rest, lines };
  if (name === 'fail') throw failureOf(Buffer.from(rest, 'latin1').toString('utf8'), where);
  throw cutOff(result, where);
}

function cutOff({ code, stderr }: ShellResult, where: string): SinkError {
  const last = stderr.trimEnd().split('\n').at(-1) ?? '';
  if (code === 127 || last.includes('not found')) return new SinkError('unsupported', `${where}: a POSIX sh with coreutils or busybox is needed: ${last}`);
  const known = last === '' ? undefined : reasonOf(last.slice(last.lastIndexOf(': ') + 2));
  if (known) return new SinkError(known, `${where}: ${last.slice(last.lastIndexOf(': ') + 2)}`);
  return new SinkError('unavailable', `${where}: the answer was cut off (${code === null ? 'the connection or process ended' : `exit code ${code}`})`);
}

function failureOf(text: string, where: string): SinkError {
  const space = text.indexOf(' ');
  const [code, detail] = space < 0 ? [text, ''] : [text.slice(0, space), text.slice(space + 1)];
  const fail = (reason: SinkErrorReason, message: string): SinkError => new SinkError(reason, `${where}: ${message}`);
  switch (code) {
    case 'system':
      return fail(reasonOf(detail) ?? 'unavailable', `${detail || 'a command failed without saying why'}${adviceFor(detail)}`);
    case 'conflict':
      return fail('conflict', 'the file or its ledger changed since it was read');
    case 'changed':
      return fail('conflict', 'the file was changed since varTrack wrote it; what was there before it is kept in the undo record beside it');
    case 'missing':
      return fail('unsupported', `the command ${detail} is missing; install coreutils and util-linux, or a busybox that has it`);
    case 'outside':
      return fail('rejected', `it leads to ${detail}, outside of the root of the sink`);
    case 'no-root':
      return fail('rejected', 'the root of the sink does not exist');
    case 'dangling':
      return fail('rejected', `${detail} is a symbolic link to nothing`);
    case 'symlink':
      return fail('rejected', `${detail} is a symbolic link; name the file that it leads to`);
    case 'directory':
      return fail('rejected', `${detail} is a directory; name a file`);
    case 'special':
      return fail('rejected', `${detail} is not a regular file`);
    case 'no-directory':
      return fail('rejected', 'its directory does not exist; make it, or set createDirectories: true');
    case 'large':
      return fail('too-large', `a file of ${detail} bytes is above the limit of ${MAX_FILE_BYTES}`);
    case 'no-undo':
      return fail('rejected', 'the undo record of this write is gone or damaged; put the file right by hand');
    case 'validate':
    case 'reload':
      return commandFailure(code, detail, where);
    default:
      return fail('unavailable', 'the request was cut off on its way');
  }
}

/** A validate or reload command that failed. `said` is the last line of its error output, which may quote the file: redact it before it is shown. */
export class CommandFailure extends SinkError {
  readonly said: string;

  constructor(message: string, said: string) {
    super('rejected', message);
    this.said = said;
    // What the command said may hold a value; it leaves only by way of its reader.
    Object.defineProperty(this, 'said', { enumerable: false });
  }
}

function commandFailure(command: 'validate' | 'reload', detail: string, where: string): SinkError {
  const [code, said = ''] = detail.split(' ');
  const how = code === '124' || code === '143' ? 'took too long' : `ended with exit code ${code}`;
  const then = command === 'validate' ? 'nothing was changed' : 'the new file is in place and the write counts as unfinished';
  return new CommandFailure(`${where}: the ${command} command ${how}; ${then}`, Buffer.from(said, 'base64').toString('utf8').trim());
}

const REASONS: readonly (readonly [RegExp, SinkErrorReason])[] = [
  [/^(Permission denied|Operation not permitted|Read-only file system)/, 'unauthorized'],
  [/^(Not a directory|Is a directory|File name too long|Too many levels of symbolic links|Invalid argument|[Ii]nvalid (user|group))/, 'rejected'],
];

function reasonOf(text: string): SinkErrorReason | undefined {
  return REASONS.find(([pattern]) => pattern.test(text))?.[1];
}

function adviceFor(text: string): string {
  if (text.startsWith('Permission denied')) return '; let the user of the sink write the directory (docs/sinks/linux.md)';
  if (text.startsWith('Operation not permitted')) return '; only root may keep a file that belongs to somebody else';
  if (text.startsWith('No space left')) return '; free some space';
  return '';
}
