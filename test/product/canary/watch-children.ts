import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as soon, setTimeout as delay } from 'node:timers/promises';

export interface ChildWatch {
  /** Names of the programs that were seen. */
  readonly programs: ReadonlySet<string>;
  readonly files: ReadonlySet<string>;
  /** Waits for one more round, and ends. */
  stop(): Promise<void>;
}

export interface ChildWatchOptions {
  /** Their arguments, and arguments and environment of all that they start. Their own environment has what they were given. */
  readonly roots: readonly number[];
  /** Directories whose files are read as well, again whenever they changed. */
  readonly directories: () => readonly string[];
  look(place: string, content: Uint8Array): void;
}

const PAUSE_MS = 3;
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/**
 * Looks at arguments and environment of processes, and at files, over and over while they are there. Synchronously: a program that lives for some
 * milliseconds is gone by the time that a promise settles.
 */
export function watchChildren({ roots, directories, look }: ChildWatchOptions): ChildWatch {
  const programs = new Set<string>();
  const files = new Set<string>();
  const seen = new Set<string>();
  let asked = false;
  const ended = run();

  async function run(): Promise<void> {
    for (let last = false; !last; await soon()) {
      last = asked;
      for (const pid of roots) lookAtProcess(pid, false);
      for (const directory of directories()) lookAtDirectory(directory);
      await delay(PAUSE_MS);
    }
  }

  function lookAtProcess(pid: number, isChild: boolean): void {
    const folder = `/proc/${pid}`;
    const command = read(`${folder}/cmdline`);
    // One that was forked and has not yet become its program has the same id as what it becomes.
    once(`${pid} ${command.toString('latin1')}`, () => {
      programs.add(command.toString().split('\0', 1)[0]?.split('/').at(-1) ?? '');
      look('cmdline of children', command);
      if (isChild) look('environ of children', read(`${folder}/environ`));
    });
    for (const task of list(`${folder}/task`)) {
      for (const child of read(`${folder}/task/${task}/children`).toString().split(' ')) if (child !== '') lookAtProcess(Number(child), true);
    }
  }

  function lookAtDirectory(directory: string): void {
    for (const name of list(directory)) {
      const path = join(directory, name);
      const found = statSync(path, { throwIfNoEntry: false });
      if (found?.isDirectory()) lookAtDirectory(path);
      if (!found?.isFile() || found.size > MAX_FILE_BYTES) continue;
      once(`${path} ${found.ino} ${found.mtimeMs} ${found.size}`, () => {
        files.add(path);
        look('temporary files', Buffer.concat([Buffer.from(`${path}\n`), read(path)]));
      });
    }
  }

  function once(id: string, act: () => void): void {
    if (seen.has(id)) return;
    seen.add(id);
    act();
  }

  return {
    programs,
    files,
    stop: async () => {
      asked = true;
      await ended;
    },
  };
}

/** What is gone by now, or somebody else's, has nothing. */
function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

function list(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
