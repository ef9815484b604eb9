import { explainFailure } from './explain-failure.ts';
import type { Mirror } from './mirror.ts';
import { pathspec } from './pathspec.ts';

export type Ancestry = 'yes' | 'no' | 'unknown';

/** A push is mostly a few commits on top of the last one. */
const NEAR = 8;
const MAX_COMMITS_BYTES = 1 << 20;

export async function ancestry(mirror: Mirror, ancestor: string, descendant: string, signal?: AbortSignal): Promise<Ancestry> {
  if ((await mirror.identity()) === null) return 'unknown';
  if (await isNearAncestor(mirror, ancestor, descendant, signal)) return 'yes';
  const exit = await mirror.git(['merge-base', '--is-ancestor', ancestor, descendant], { signal });
  if (exit.end === 'exit' && exit.code === 0) return 'yes';
  if (exit.end === 'exit' && exit.code === 1) return 'no';
  // Only now, since they nearly always are there.
  const commits = [ancestor, descendant];
  const known = await mirror.has(commits, signal);
  if (!commits.every((commit) => known.has(commit))) return 'unknown';
  throw explainFailure(`cannot compare commits of ${mirror.of}`, exit);
}

/** Whether one is found within a few steps back from the other; if not, it may be one all the same. */
async function isNearAncestor(mirror: Mirror, ancestor: string, descendant: string, signal: AbortSignal | undefined): Promise<boolean> {
  let level = [descendant];
  for (let step = 0; step < NEAR; step++) {
    const commits = await mirror.objects(level, MAX_COMMITS_BYTES, signal);
    if (!commits || !commits.every(({ type }) => type === 'commit')) return false;
    if (level.includes(ancestor)) return true;
    level = [...new Set(commits.flatMap(({ content }) => parentsOf(content)))];
    if (level.length === 0 || level.length > NEAR) return false;
  }
  return level.includes(ancestor);
}

/** The header ends at the first empty line, and only its own lines begin with `parent`. */
function parentsOf(commit: Uint8Array): string[] {
  const [header = ''] = Buffer.from(commit.buffer, commit.byteOffset, commit.byteLength).toString('latin1').split('\n\n', 1);
  return [...header.matchAll(/^parent ([0-9a-f]{40})$/gm)].flatMap(([, parent]) => parent ?? []);
}

export async function touchedBetween(mirror: Mirror, from: string, to: string, patterns: readonly string[], signal?: AbortSignal): Promise<boolean> {
  if (from === to || patterns.length === 0) return false;
  if ((await ancestry(mirror, from, to, signal)) !== 'yes') return true;
  // The whole history: by default git would leave out a branch whose changes a merge threw away.
  const exit = await mirror.git(['rev-list', '--full-history', '--max-count=1', `${from}..${to}`, '--', ...patterns.map(pathspec)], { signal });
  if (exit.end !== 'exit' || exit.code !== 0) throw explainFailure(`cannot read the history of ${mirror.of}`, exit);
  return exit.stdout.length > 0;
}
