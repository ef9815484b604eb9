import { GitError } from './git-error.ts';

const COMMIT = /^[0-9a-f]{40}$/;
const ASKED = /^refs\/(heads|tags|pull|merge-requests)\//;
// What git check-ref-format refuses, in one expression: it also keeps a ref from being read as a refspec.
const MALFORMED = /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|\/\.|\.lock(\/|$)|[/.]$/;

export function isCommit(revision: string): boolean {
  return COMMIT.test(revision);
}

/** Passes a full ref name or a commit; anything that git could read as something else is refused before it is an argument. */
export function checkRevision(revision: string): string {
  if (isCommit(revision) || (ASKED.test(revision) && !MALFORMED.test(revision))) return revision;
  throw new GitError(
    'rejected',
    `${JSON.stringify(revision)} is not a ref or a commit; use refs/heads/NAME, refs/tags/NAME, a pull request's ref, or 40 hex digits`,
  );
}

export function checkCommit(commit: string): string {
  if (isCommit(commit)) return commit;
  throw new GitError('rejected', `${JSON.stringify(commit)} is not a commit; use its 40 hex digits`);
}
