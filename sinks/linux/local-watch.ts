import { watch, type FSWatcher } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { SinkError } from '../errors.ts';
import type { WatchRequest } from './shell.ts';

/** What is watched for one file: its directory or, where that is missing, the name of what is missing first, in the directory that should have it. */
interface Spot {
  readonly directory: string;
  readonly name: string;
  readonly isFile: boolean;
  /** Tells a directory from another one that takes its place. */
  readonly identity: string;
}
type Spots = ReadonlyMap<string, Spot>;

/**
 * Tells of changes by inotify on directories, since files are replaced by renames. Resolves when the signal aborts, or when a directory came or went,
 * so that it has to begin anew.
 */
export async function watchDirectories({ files, root, onStanding, onChange, signal }: Omit<WatchRequest, 'timeoutMs'>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => resolve();
  const spots = await spotsOf(files, root);
  const watchers: FSWatcher[] = [];
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for (const [directory, own] of Map.groupBy(spots, ([, spot]) => spot.directory)) {
      const [identity] = own.map(([, spot]) => spot.identity);
      const named = Map.groupBy(own, ([, spot]) => spot.name);
      const watcher = begin(directory, (name) => {
        for (const [file, { isFile }] of named.get(name ?? '') ?? []) {
          if (isFile) onChange(file);
          else resolve();
        }
        // What happens to the directory itself comes under its own name.
        if (name === null) resolve();
        else if (name === basename(directory)) void identityOf(directory).then((now) => now !== identity && resolve(), reject);
      });
      if (!watcher) return;
      watcher.on('error', (cause) => reject(new SinkError('unavailable', 'it was lost', { cause })));
      watchers.push(watcher);
    }
    // Of a directory that came between the look and the watch nobody was told.
    if (textOf(await spotsOf(files, root)) !== textOf(spots)) return;
    if (signal.aborted) return;
    onStanding();
    await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
    for (const watcher of watchers) watcher.close();
  }
}

/** Undefined where the directory went meanwhile. */
function begin(directory: string, onEvent: (name: string | null) => void): FSWatcher | undefined {
  try {
    return watch(directory, (_kind, name) => onEvent(name));
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    const why = WHY[code];
    if (why === undefined) throw new SinkError('unavailable', `${directory} cannot be watched (${code})`, { cause });
    throw new SinkError('unsupported', `${directory} ${why}; until then targets are polled`, { cause });
  }
}

const WHY: Readonly<Record<string, string>> = {
  ENOSPC: 'is one too many to watch: raise fs.inotify.max_user_watches (sysctl)',
  EMFILE: 'cannot be watched by one more program: raise fs.inotify.max_user_instances (sysctl)',
  EACCES: 'may not be listed by the user of the worker; let it read the directory',
};

/** Files whose directory is outside of the root are left out, whatever links say: they are never written, either. */
async function spotsOf(files: readonly string[], root: string): Promise<Spots> {
  const top = root === '' ? '' : await realpath(root).catch(() => null);
  if (top === null) throw new SinkError('unavailable', 'the root of the sink does not exist');
  const known = new Map<string, Promise<Spot>>();
  const spots = new Map<string, Spot>();
  for (const file of files) {
    const at = dirname(file);
    const found = known.get(at) ?? spotBelow(at);
    known.set(at, found);
    const spot = await found;
    if (`${spot.directory}/`.startsWith(`${top.replace(/\/$/, '')}/`)) spots.set(file, spot.isFile ? { ...spot, name: basename(file) } : spot);
  }
  return spots;
}

async function spotBelow(given: string): Promise<Spot> {
  for (let at = given, name = '', isFile = true; ; name = basename(at), at = dirname(at), isFile = false) {
    const directory = await realpath(at).catch(() => null);
    const identity = directory === null ? null : await identityOf(directory);
    if (directory !== null && identity !== null) return { directory, name, isFile, identity };
    if (at === '/') throw new SinkError('unavailable', 'the root directory cannot be read');
  }
}

/** Null where no directory is there. */
async function identityOf(path: string): Promise<string | null> {
  const status = await stat(path, { bigint: true }).catch(() => null);
  return status?.isDirectory() ? `${status.dev} ${status.ino}` : null;
}

function textOf(spots: Spots): string {
  return JSON.stringify([...spots].map(([file, { directory, name, identity }]) => [file, join(directory, name), identity]));
}
