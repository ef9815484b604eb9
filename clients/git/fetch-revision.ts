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

/**
 * Fetches one ref or commit with its whole history, which ancestry needs, and gives the commit.
 * Each fetch writes a ref of its own, so that neither two processes nor a branch that turned into a folder of branches can meet at a lock. A ref
 * named after the commit then keeps it, also after a force push: how an older commit stands to a newer one stays answerable.
 */
export async function fetchRevision(runner: GitRunner, request: FetchRequest): Promise<string> {
  const { remote, mirror, revision, access, signal } = request;
  const what = `cannot fetch ${revision} of ${remote.url}`;
  await mirror.ensure(signal);
  await mirror.removeRemains();

  const incoming = `refs/vartrack/incoming/${randomUUID()}`;
  const fetched = await runner.run({
    args: ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules', '--end-of-options', remote.url, `+${revision}:${incoming}`],
    env: gitEnvironment(mirror.directory, remote.protocol, access.settings, access.variables),
    timeoutMs: request.timeoutMs,
    maxOutputBytes: 1 << 20,
    maxFileBytes: request.maxMirrorBytes,
    lane: 'network',
    signal,
    onStart: request.started,
  });
  if (fetched.end !== 'exit' || fetched.code !== 0) {
    // Git itself only says "invalid index-pack output" when the kernel stops the unpacking.
    if (await mirror.removeOversized(request.maxMirrorBytes)) throw tooBig(what, `more than the limit of ${request.maxMirrorBytes} bytes would be fetched`);
    throw explainFailure(what, fetched, access.secrets);
  }

  const peeled = await mirror.git(['rev-parse', '--verify', '--end-of-options', `${incoming}^{commit}`], { signal });
  const commit = peeled.stdout.toString().trim();
  const keep = peeled.code === 0 ? `update refs/vartrack/commits/${commit} ${commit}\n` : '';
  const settled = await mirror.git(['update-ref', '--stdin'], { signal, input: `${keep}delete ${incoming}\n` });
  if (peeled.code !== 0) throw new GitError('not-found', `${what}: it is not a commit; a tag must lead to one`, { missing: 'revision' });
  if (settled.code !== 0) throw explainFailure(what, settled);

  const { bytes } = await mirror.packs();
  if (bytes > request.maxMirrorBytes) {
    // Kept, it would only fill the disk; what is still wanted of it may fit alone.
    await mirror.drop(await mirror.identity());
    throw tooBig(what, `its mirror has ${bytes} bytes, more than the limit of ${request.maxMirrorBytes}`);
  }
  return commit;
}

function tooBig(what: string, why: string): GitError {
  return new GitError('rejected', `${what}: ${why}; split the repository or raise the limit`);
}
