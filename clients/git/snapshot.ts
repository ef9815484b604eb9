import { InvalidInput, type Problem } from '../../domain/problem.ts';
import type { GitLimits, Snapshot, TreeEntry } from '../git.ts';
import { explainFailure } from './explain-failure.ts';
import { GitError } from './git-error.ts';
import { complains, type Mirror } from './mirror.ts';

const LINE = /^(\d{6}) (blob|commit) ([0-9a-f]{40}) +(\d+|-)\t([^]+)$/;
const LFS = Buffer.from('version https://git-lfs.github.com/spec/');
const MAX_ENTRY_BYTES = 512;

/** Runs a read of the mirror; a damaged or missing mirror is mended and the read repeated. */
export type Reading = <T>(use: () => Promise<T>, signal: AbortSignal | undefined) => Promise<T>;

export async function openSnapshot(mirror: Mirror, commit: string, limits: GitLimits, reading: Reading, signal: AbortSignal | undefined): Promise<Snapshot> {
  const what = `${mirror.of} at ${commit.slice(0, 12)}`;
  const entries = await reading(() => listTree(mirror, commit, what, limits, signal), signal);
  const tree = new Map(entries.map((entry) => [entry.path, entry]));
  return { commit, list: () => Promise.resolve(entries), read: (paths, now) => reading(() => readFiles(mirror, tree, paths, what, limits, now), now) };
}

/** Every entry of the commit's tree that is not a directory. */
async function listTree(mirror: Mirror, commit: string, what: string, limits: GitLimits, signal: AbortSignal | undefined): Promise<readonly TreeEntry[]> {
  // A tree, or a tag, that stands where a commit should is refused here.
  const exit = await mirror.git(['ls-tree', '-r', '-z', '-l', '--full-tree', `${commit}^{commit}`], {
    signal,
    maxOutputBytes: limits.maxEntries * MAX_ENTRY_BYTES,
  });
  if (exit.end !== 'exit' || exit.code !== 0) throw explainFailure(`cannot list ${what}`, exit);
  const entries = exit.stdout
    .toString()
    .split('\0')
    .slice(0, -1)
    .map((line) => parseEntry(line, what));
  if (entries.length > limits.maxEntries) throw new GitError('rejected', `${what} has ${entries.length} files, more than the limit of ${limits.maxEntries}`);
  return entries;
}

function parseEntry(line: string, what: string): TreeEntry {
  const [, mode, type, object, size, path] = LINE.exec(line) ?? [];
  if (!mode || !object || !path) throw new GitError('corrupt', `cannot list ${what}: git gave a line of an unknown form`);
  const kind = type === 'commit' ? 'submodule' : mode === '120000' ? 'symlink' : 'file';
  return { path, kind, mode, object, size: size === '-' ? 0 : Number(size) };
}

/** The content of those paths that the tree has. All problems are found before anything is read, except those that only content shows. */
async function readFiles(
  mirror: Mirror,
  tree: ReadonlyMap<string, TreeEntry>,
  paths: readonly string[],
  what: string,
  limits: GitLimits,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const problems: Problem[] = [];
  const wanted: TreeEntry[] = [];
  for (const path of new Set(paths)) {
    const entry = tree.get(path);
    const message = entry ? refusal(entry, limits) : blockedBy(path, tree);
    if (message) problems.push(problemAt(path, message));
    else if (entry) wanted.push(entry);
  }
  const total = wanted.reduce((sum, entry) => sum + entry.size, 0);
  if (total > limits.maxReadBytes)
    problems.push({ message: `the ${wanted.length} files have ${total} bytes together, more than the limit of ${limits.maxReadBytes}` });
  if (problems.length > 0) throw new InvalidInput(problems);
  if (wanted.length === 0) return new Map();

  const contents = await readObjects(mirror, wanted, total, what, signal);
  const files = new Map<string, Uint8Array>();
  for (const { path, object } of wanted) {
    const content = contents.get(object);
    if (!content) throw new GitError('corrupt', `cannot read files of ${what}: the mirror lacks object ${object}`);
    if (content.length < 1024 && content.subarray(0, LFS.length).equals(LFS)) {
      problems.push(
        problemAt(path, 'it is a Git LFS pointer, its content is not in the repository; commit the file itself (git lfs untrack, then add it again)'),
      );
    }
    files.set(path, content);
  }
  if (problems.length > 0) throw new InvalidInput(problems);
  return files;
}

function refusal({ kind, size }: TreeEntry, limits: GitLimits): string | null {
  if (kind === 'symlink') return 'it is a symbolic link, which is not followed; commit the file itself';
  if (kind === 'submodule') return 'it is a submodule, whose files are not read; add its repository to the bundle instead';
  if (size > limits.maxFileBytes) return `it has ${size} bytes, more than the limit of ${limits.maxFileBytes} for one file`;
  return null;
}

/** A path that seems absent only because a link or a submodule stands in its way must not pass for an optional file that is not there (I3). */
function blockedBy(path: string, tree: ReadonlyMap<string, TreeEntry>): string | null {
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    const above = tree.get(path.slice(0, slash));
    if (above && above.kind !== 'file') return `${above.path} is a ${above.kind === 'symlink' ? 'symbolic link' : 'submodule'}, which is not followed`;
  }
  for (const other of tree.keys()) if (other.startsWith(`${path}/`)) return 'it is a directory; name a file or a pattern';
  return null;
}

function problemAt(file: string, message: string): Problem {
  return { message, origin: { file, line: 1, column: 1 } };
}

/** By object name, which needs no quoting whatever the path looks like. */
async function readObjects(
  mirror: Mirror,
  entries: readonly TreeEntry[],
  bytes: number,
  what: string,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, Buffer>> {
  const objects = [...new Set(entries.map((entry) => entry.object))];
  const input = objects.map((object) => `${object}\n`).join('');
  const exit = await mirror.git(['cat-file', '--batch=%(objectname) %(objectsize)'], { signal, input, maxOutputBytes: bytes + objects.length * 128 });
  if (exit.end !== 'exit' || exit.code !== 0 || complains(exit)) throw explainFailure(`cannot read files of ${what}`, exit);
  const found = new Map<string, Buffer>();
  let at = 0;
  for (const object of objects) {
    const end = exit.stdout.indexOf(10, at);
    const [name, size] = exit.stdout.toString('latin1', at, end).split(' ');
    const length = Number(size);
    if (end === -1 || name !== object || !Number.isSafeInteger(length) || end + 1 + length >= exit.stdout.length) {
      throw new GitError('corrupt', `cannot read files of ${what}: the mirror lacks object ${object}`);
    }
    found.set(object, exit.stdout.subarray(end + 1, end + 1 + length));
    at = end + 1 + length + 1;
  }
  return found;
}
