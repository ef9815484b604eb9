import type { TreeEntry } from '../git.ts';
import { explainFailure } from './explain-failure.ts';
import { GitError } from './git-error.ts';
import { complains, type Mirror } from './mirror.ts';

/** Bytes of objects, by name. Throws `corrupt` for one that the mirror lacks. */
export async function sizesOf(
  mirror: Mirror,
  entries: readonly TreeEntry[],
  what: string,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, number>> {
  if (entries.length === 0) return new Map();
  const objects = namesOf(entries);
  const exit = await mirror.git(['cat-file', '--batch-check=%(objectname) %(objectsize)'], {
    signal,
    input: linesOf(objects),
    maxOutputBytes: objects.length * 128,
  });
  if (exit.end !== 'exit' || exit.code !== 0 || complains(exit)) throw explainFailure(`cannot read files of ${what}`, exit);
  const answers = exit.stdout.toString('latin1').split('\n');
  return new Map(
    objects.map((object, index) => {
      const [name, size] = (answers[index] ?? '').split(' ');
      if (name !== object || !/^\d+$/.test(size ?? '')) throw lacking(what, object);
      return [object, Number(size)];
    }),
  );
}

/** Contents of objects, by name, which needs no quoting whatever the path looks like. Throws `corrupt` for one that the mirror lacks. */
export async function readObjects(
  mirror: Mirror,
  entries: readonly TreeEntry[],
  bytes: number,
  what: string,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, Buffer>> {
  if (entries.length === 0) return new Map();
  const objects = namesOf(entries);
  const exit = await mirror.git(['cat-file', '--batch=%(objectname) %(objectsize)'], {
    signal,
    input: linesOf(objects),
    maxOutputBytes: bytes + objects.length * 128,
  });
  if (exit.end !== 'exit' || exit.code !== 0 || complains(exit)) throw explainFailure(`cannot read files of ${what}`, exit);
  const found = new Map<string, Buffer>();
  let at = 0;
  for (const object of objects) {
    const end = exit.stdout.indexOf(10, at);
    const [name, size] = exit.stdout.toString('latin1', at, end).split(' ');
    const length = Number(size);
    if (end === -1 || name !== object || !Number.isSafeInteger(length) || end + 1 + length >= exit.stdout.length) throw lacking(what, object);
    found.set(object, exit.stdout.subarray(end + 1, end + 1 + length));
    at = end + 1 + length + 1;
  }
  return found;
}

function namesOf(entries: readonly TreeEntry[]): string[] {
  return [...new Set(entries.map(({ object }) => object))];
}

function linesOf(objects: readonly string[]): string {
  return objects.map((object) => `${object}\n`).join('');
}

function lacking(what: string, object: string): GitError {
  return new GitError('corrupt', `cannot read files of ${what}: the mirror lacks object ${object}`);
}
