import { randomUUID } from 'node:crypto';
import type { Access } from './access.ts';
import { gitEnvironment } from './environment.ts';
import { explainFailure } from './explain-failure.ts';
import { GitError } from './git-error.ts';
import type { Mirror } from './mirror.ts';
import type { Remote } from './remote.ts';
import type { GitRunner } from './run-git.ts';

export interface FetchRequest {
  readonly remote: Remote;
  readonly mirror: Mirror;
  readonly revision: string;
  readonly access: Access;
  readonly timeoutMs: number;
  readonly maxMirrorBytes: number;
  readonly signal: AbortSignal;
  readonly started: () => void;
}

export interface Fetched {
  readonly commit: string;
  /** What the fetch wrote, which keeps the commit until it has a ref of its own. */
  readonly ref: string;
  /** Packs of the mirror now. */
  readonly packs: number;
}

/**
 * Fetches one ref or commit with its whole history, which ancestry needs, and gives the commit.
 * Each fetch writes a ref of its own, so that neither two processes nor a branch that turned into a folder of branches can meet at a lock. A ref
 * named after the commit then keeps it, also after a force push: how an older commit stands to a newer one stays answerable.
 */
export async function fetchRevision(runner: GitRunner, request: FetchRequest): Promise<Fetched> {
  const { remote, mirror, revision, access, signal } = request;
  const what = `cannot fetch ${revision} of ${remote.url}`;
  // A later fetch brings little: starting threads for it takes longer than unpacking it.
  const threads = (await mirror.ensure(signal)) === 'made' ? {} : { 'pack.threads': '1' };

  const ref = `refs/vartrack/incoming/${randomUUID()}`;
  const fetching = runner.run({
    args: ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules', '--end-of-options', remote.url, `+${revision}:${ref}`],
    env: gitEnvironment(mirror.directory, remote.protocol, { ...access.settings, ...threads }, access.variables),
    timeoutMs: request.timeoutMs,
    maxOutputBytes: 1 << 20,
    maxFileBytes: request.maxMirrorBytes,
    lane: 'network',
    signal,
    onStart: request.started,
  });
  // Beside the fetch, which waits for a lock much longer than it takes to see that it is a dead process's.
  const [fetched, cleaned] = await Promise.all([fetching, settled(mirror.removeRemains())]);
  if (cleaned.status === 'rejected') throw cleaned.reason;
  if (fetched.end !== 'exit' || fetched.code !== 0) {
    // Git itself only says "invalid index-pack output" when the kernel stops the unpacking.
    if (await mirror.removeOversized(request.maxMirrorBytes)) throw tooBig(what, `more than the limit of ${request.maxMirrorBytes} bytes would be fetched`);
    throw explainFailure(what, fetched, access.secrets);
  }

  const [commit, packs] = await Promise.all([commitOf(request, ref, what), mirror.packs()]);
  if (packs.bytes > request.maxMirrorBytes) {
    // Kept, it would only fill the disk; what is still wanted of it may fit alone.
    await mirror.drop(await mirror.identity());
    throw tooBig(what, `its mirror has ${packs.bytes} bytes, more than the limit of ${request.maxMirrorBytes}`);
  }
  return { commit, ref, packs: packs.count };
}

/** A branch leads to a commit, which is in the ref's file; whether it truly is one, the read of its tree asks. A tag may lead to anything. */
async function commitOf({ mirror, revision, signal }: FetchRequest, ref: string, what: string): Promise<string> {
  const plain = revision.startsWith('refs/tags/') ? null : await mirror.looseRef(ref);
  if (plain !== null) return plain;
  const peeled = await mirror.git(['rev-parse', '--verify', '--end-of-options', `${ref}^{commit}`], { signal });
  if (peeled.code === 0) return peeled.stdout.toString().trim();
  await mirror.git(['update-ref', '-d', ref], { signal });
  throw new GitError('not-found', `${what}: it is not a commit; a tag must lead to one`, { missing: 'revision' });
}

/** So that a failure is told after the fetch has ended, and not while it runs on. */
async function settled(work: Promise<void>): Promise<PromiseSettledResult<void>> {
  const [end] = await Promise.allSettled([work]);
  return end;
}

function tooBig(what: string, why: string): GitError {
  return new GitError('rejected', `${what}: ${why}; split the repository or raise the limit`);
}
