import { InvalidInput, type Problem } from '../../domain/problem.ts';
import type { GitLimits, Snapshot, TreeEntry } from '../git.ts';
import { explainFailure } from './explain-failure.ts';
import { GitError } from './git-error.ts';
import { complains, type Mirror } from './mirror.ts';
import { readObjects, sizesOf } from './read-objects.ts';
import { kindOf, readTree, type TreeMemory } from './read-tree.ts';

const LINE = /^(\d{6}) (?:blob|commit) ([0-9a-f]{40})\t([^]+)$/;
const LFS = Buffer.from('version https://git-lfs.github.com/spec/');
const MAX_ENTRY_BYTES = 512;

/** Runs a read of the mirror; a damaged or missing mirror is mended and the read repeated. */
export type Reading = <T>(use: () => Promise<T>, signal: AbortSignal | undefined) => Promise<T>;

export interface SnapshotSource {
  readonly mirror: Mirror;
  readonly commit: string;
  readonly limits: GitLimits;
  readonly trees: TreeMemory;
  readonly reading: Reading;
}

export async function openSnapshot(source: SnapshotSource, signal: AbortSignal | undefined): Promise<Snapshot> {
  const { mirror, commit, limits, trees, reading } = source;
  const what = `${mirror.of} at ${commit.slice(0, 12)}`;
  const list = async (): Promise<readonly TreeEntry[]> =>
    (await readTree(mirror, commit, limits.maxEntries, trees, signal)) ?? (await listTree(mirror, commit, what, limits, signal));
  const entries = await reading(list, signal);
  const tree = new Map(entries.map((entry) => [entry.path, entry]));
  return { commit, list: () => Promise.resolve(entries), read: (paths, now) => reading(() => readFiles(mirror, tree, paths, what, limits, now), now) };
}

/** Every entry of the commit's tree that is not a directory, by a git process of its own. */
async function listTree(mirror: Mirror, commit: string, what: string, limits: GitLimits, signal: AbortSignal | undefined): Promise<readonly TreeEntry[]> {
  // A tree, or a tag, that stands where a commit should is refused here.
  const exit = await mirror.git(['ls-tree', '-r', '-z', '--full-tree', `${commit}^{commit}`], {
    signal,
    maxOutputBytes: limits.maxEntries * MAX_ENTRY_BYTES,
  });
  if (exit.end !== 'exit' || exit.code !== 0 || complains(exit)) throw explainFailure(`cannot list ${what}`, exit);
  const entries = exit.stdout
    .toString()
    .split('\0')
    .slice(0, -1)
    .map((line) => parseEntry(line, what));
  if (entries.length > limits.maxEntries) throw new GitError('rejected', `${what} has ${entries.length} files, more than the limit of ${limits.maxEntries}`);
  return entries;
}

function parseEntry(line: string, what: string): TreeEntry {
  const [, mode, object, path] = LINE.exec(line) ?? [];
  if (!mode || !object || !path) throw new GitError('corrupt', `cannot list ${what}: git gave a line of an unknown form`);
  return { path, kind: kindOf(mode), mode, object };
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
    const message = entry ? refusal(entry) : blockedBy(path, tree);
    if (message) problems.push(problemAt(path, message));
    else if (entry) wanted.push(entry);
  }
  const contents = problems.length === 0 ? await contentsWithin(mirror, wanted, limits, signal) : null;
  const objects = contents ?? (await carefully(mirror, wanted, problems, what, limits, signal));

  const files = new Map<string, Uint8Array>();
  for (const { path, object } of wanted) {
    const content = objects.get(object);
    if (!content) throw new GitError('corrupt', `cannot read files of ${what}: the mirror lacks object ${object}`);
    if (content.length < 1024 && Buffer.from(content.subarray(0, LFS.length)).equals(LFS)) {
      problems.push(
        problemAt(path, 'it is a Git LFS pointer, its content is not in the repository; commit the file itself (git lfs untrack, then add it again)'),
      );
    }
    files.set(path, content);
  }
  if (problems.length > 0) throw new InvalidInput(problems);
  return files;
}

/** The contents, if they keep within the limits and can be told for certain at once; else null. */
async function contentsWithin(
  mirror: Mirror,
  wanted: readonly TreeEntry[],
  limits: GitLimits,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, Uint8Array> | null> {
  const found = await mirror.objects([...new Set(wanted.map(({ object }) => object))], limits.maxReadBytes, signal);
  if (!found) return null;
  const contents = new Map(found.map(({ name, content }) => [name, content]));
  const sizes = wanted.map(({ object }) => contents.get(object)?.length ?? 0);
  const isWithin = found.every(({ type }) => type === 'blob') && sizes.every((size) => size <= limits.maxFileBytes) && sum(sizes) <= limits.maxReadBytes;
  return isWithin ? contents : null;
}

/** The contents by git processes of their own. Throws with all that is over a limit before anything is read. */
async function carefully(
  mirror: Mirror,
  wanted: readonly TreeEntry[],
  problems: Problem[],
  what: string,
  limits: GitLimits,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const sizes = await sizesOf(mirror, wanted, what, signal);
  for (const { path, object } of wanted) {
    const size = sizes.get(object) ?? 0;
    if (size > limits.maxFileBytes) problems.push(problemAt(path, `it has ${size} bytes, more than the limit of ${limits.maxFileBytes} for one file`));
  }
  const total = sum(wanted.map(({ object }) => sizes.get(object) ?? 0));
  if (total > limits.maxReadBytes)
    problems.push({ message: `the ${wanted.length} files have ${total} bytes together, more than the limit of ${limits.maxReadBytes}` });
  if (problems.length > 0) throw new InvalidInput(problems);
  return readObjects(mirror, wanted, total, what, signal);
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}

function refusal({ kind }: TreeEntry): string | null {
  if (kind === 'symlink') return 'it is a symbolic link, which is not followed; commit the file itself';
  return kind === 'submodule' ? 'it is a submodule, whose files are not read; add its repository to the bundle instead' : null;
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
