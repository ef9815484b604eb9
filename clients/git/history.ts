import { explainFailure } from './explain-failure.ts';
import type { Mirror } from './mirror.ts';
import { pathspec } from './pathspec.ts';

export type Ancestry = 'yes' | 'no' | 'unknown';

export async function ancestry(mirror: Mirror, ancestor: string, descendant: string, signal?: AbortSignal): Promise<Ancestry> {
  if ((await mirror.identity()) === null) return 'unknown';
  const exit = await mirror.git(['merge-base', '--is-ancestor', ancestor, descendant], { signal });
  if (exit.end === 'exit' && exit.code === 0) return 'yes';
  if (exit.end === 'exit' && exit.code === 1) return 'no';
  // Only now, since they nearly always are there.
  const commits = [ancestor, descendant];
  const known = await mirror.has(commits, signal);
  if (!commits.every((commit) => known.has(commit))) return 'unknown';
  throw explainFailure(`cannot compare commits of ${mirror.of}`, exit);
}

export async function touchedBetween(mirror: Mirror, from: string, to: string, patterns: readonly string[], signal?: AbortSignal): Promise<boolean> {
  if (from === to || patterns.length === 0) return false;
  if ((await ancestry(mirror, from, to, signal)) !== 'yes') return true;
  // The whole history: by default git would leave out a branch whose changes a merge threw away.
  const exit = await mirror.git(['rev-list', '--full-history', '--max-count=1', `${from}..${to}`, '--', ...patterns.map(pathspec)], { signal });
  if (exit.end !== 'exit' || exit.code !== 0) throw explainFailure(`cannot read the history of ${mirror.of}`, exit);
  return exit.stdout.length > 0;
}
