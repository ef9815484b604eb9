import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import type { FoundObject, ReadRequest } from './host-protocol.ts';

/**
 * Objects of mirrors by name, through a `git cat-file --batch` that goes on running: one process for each mirror in use.
 * It answers only what is certain, that is, content whose hash is its name. Everything else (a missing object, a complaint, a process that died, more
 * than `maxBytes`, no answer in time) is null, and whoever asked finds out by a process of its own, whose exit and complaints say what it means (I3).
 */
export interface ObjectPool {
  read(request: ReadRequest): Promise<readonly FoundObject[] | null>;
  close(): void;
}

/** Mirrors that have a process at the same time; more take turns. */
const MOST_PROCESSES = 16;
const IDLE_MS = 20_000;
/** A process keeps packs open that a repack has replaced, and with them their room on the disk. */
const OLDEST_MS = 60_000;
const ANSWER_WITHIN_MS = 10_000;
const HEADER = /^([0-9a-f]{40}) (commit|tree|blob|tag) (\d{1,15})$/;
const LONGEST_HEADER = 128;

export function createObjectPool(): ObjectPool {
  const readers = new Map<string, Reader>();

  function readerOf({ env }: ReadRequest): Reader {
    const key = env['GIT_DIR'] ?? '';
    const known = readers.get(key);
    readers.delete(key);
    if (known && !known.isOver()) {
      readers.set(key, known);
      return known;
    }
    known?.end();
    const reader = startReader(env);
    readers.set(key, reader);
    for (const [oldest, least] of readers) {
      if (readers.size <= MOST_PROCESSES) break;
      readers.delete(oldest);
      least.end();
    }
    return reader;
  }

  return {
    read: (request) => readerOf(request).read(request),
    close: () => {
      for (const reader of readers.values()) reader.end();
      readers.clear();
    },
  };
}

interface Reader {
  read(request: ReadRequest): Promise<readonly FoundObject[] | null>;
  /** Whether it takes no more requests. */
  isOver(): boolean;
  /** Ends it when what it was asked is answered. */
  end(): void;
}

interface Asked {
  readonly names: readonly string[];
  readonly found: FoundObject[];
  bytesLeft: number;
  readonly answer: (objects: readonly FoundObject[] | null) => void;
}

function startReader(env: Readonly<Record<string, string>>): Reader {
  const child = spawn('git', ['cat-file', '--batch'], { cwd: '/', env, stdio: 'pipe', detached: true });
  const startedMs = performance.now();
  const queue: Asked[] = [];
  let unread: Buffer[] = [];
  let unreadBytes = 0;
  /** Bytes from which on there is something to parse. */
  let neededBytes = 1;
  let over = false;
  let idle: NodeJS.Timeout | undefined;

  /** Nothing that it says from now on counts, and all who wait find out themselves. */
  function giveUp(): void {
    over = true;
    clearTimeout(idle);
    kill(child);
    for (const asked of queue.splice(0)) asked.answer(null);
  }

  function rest(): void {
    if (over) child.stdin.end();
    else idle = setTimeout(end, IDLE_MS);
  }

  function end(): void {
    over = true;
    clearTimeout(idle);
    if (queue.length === 0) child.stdin.end();
  }

  function take(chunk: Buffer): void {
    unread.push(chunk);
    unreadBytes += chunk.length;
    while (unreadBytes >= neededBytes && queue.length > 0) {
      const bytes = unread.length === 1 && unread[0] ? unread[0] : Buffer.concat(unread);
      unread = [bytes];
      if (!takeObject(bytes)) return;
    }
    // Nobody asked for it: whose answer the next one would be is anybody's guess.
    if (queue.length === 0 && unreadBytes > 0) giveUp();
  }

  /** False if there is no whole object yet, or never will be. */
  function takeObject(bytes: Buffer): boolean {
    const asked = queue[0];
    const lineEnd = bytes.subarray(0, LONGEST_HEADER).indexOf(10);
    if (!asked) return false;
    if (lineEnd === -1) {
      neededBytes = bytes.length + 1;
      if (bytes.length >= LONGEST_HEADER) giveUp();
      return false;
    }
    const [, name, type, digits] = HEADER.exec(bytes.toString('latin1', 0, lineEnd)) ?? [];
    const size = Number(digits);
    if (name === undefined || type === undefined || name !== asked.names[asked.found.length] || size > asked.bytesLeft) {
      giveUp();
      return false;
    }
    const from = lineEnd + 1;
    neededBytes = from + size + 1;
    if (bytes.length < neededBytes) return false;
    const content = bytes.subarray(from, from + size);
    if (bytes[from + size] !== 10 || hashOf(type, content) !== name) {
      giveUp();
      return false;
    }
    asked.found.push({ name, type: type as FoundObject['type'], content });
    asked.bytesLeft -= size;
    const left = bytes.subarray(neededBytes);
    unread = left.length > 0 ? [left] : [];
    unreadBytes = left.length;
    neededBytes = 1;
    if (asked.found.length === asked.names.length) {
      queue.shift();
      asked.answer(asked.found);
      if (queue.length === 0) rest();
    }
    return true;
  }

  child.stdout.on('data', take);
  child.stderr.on('data', giveUp);
  child.stdin.on('error', giveUp);
  child.on('error', giveUp);
  child.on('close', giveUp);

  return {
    read: ({ names, maxBytes }) =>
      new Promise((resolve) => {
        const late = setTimeout(giveUp, ANSWER_WITHIN_MS);
        const answer: Asked['answer'] = (objects) => {
          clearTimeout(late);
          resolve(objects);
        };
        if (names.length === 0) return answer([]);
        clearTimeout(idle);
        queue.push({ names, found: [], bytesLeft: maxBytes, answer });
        child.stdin.write(names.map((name) => `${name}\n`).join(''));
      }),
    isOver: () => over || performance.now() - startedMs > OLDEST_MS,
    end,
  };
}

function hashOf(type: string, content: Uint8Array): string {
  return createHash('sha1').update(`${type} ${content.length}\0`).update(content).digest('hex');
}

/** It only reads: nothing is left behind. */
function kill(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
}
