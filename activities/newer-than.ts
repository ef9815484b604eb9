import { GitError, type Git } from '../clients/git.ts';
import { matchGlob } from '../clients/glob.ts';
import type { Repository } from '../domain/bundle.ts';
import type { Ledger } from '../domain/ledger.ts';
import { headOfStream, refNameOf } from '../domain/stream-head.ts';
import type { ApplyTargetInput } from './activity-types.ts';
import type { ActivityDeps } from './deps.ts';
import { movedOn } from './moved-on.ts';
import { repositoryOf } from './stream-state.ts';

/** Why the place must not be written, if what stands there is not older than this commit (I7). */
export async function newerThan(
  deps: Pick<ActivityDeps, 'bundle' | 'git'>,
  input: ApplyTargetInput,
  ledger: Ledger | null,
  signal: AbortSignal,
): Promise<string | null> {
  const { tenant, repository: name, stream, commit, request } = input;
  if (request.only !== undefined) return movedOn(commit, ledger);
  if (!ledger || ledger.commit === commit || Object.keys(ledger.keys).length === 0 || !ledger.stream.startsWith(`${name}/`)) return null;
  const repository = repositoryOf({ bundle: deps.bundle(), tenant, repository: name });
  if ((await deps.git.isAncestor(repository, ledger.commit, commit, signal)) === 'yes') return null;
  const there = `${ledger.commit.slice(0, 12)} of ${ledger.stream} is there`;
  if (ledger.stream !== `${name}/${stream}`) {
    // Two streams may feed one environment (a branch and its tags): what contains this commit is newer, whichever brought it.
    const isOlder = (): ReturnType<Git['isAncestor']> => deps.git.isAncestor(repository, commit, ledger.commit, signal);
    const known = await isOlder();
    // Another worker wrote it, and this one's mirror has never seen the commit.
    const isNewer = known === 'unknown' && (await fetchIfThere(deps.git, repository, ledger.commit, signal)) ? await isOlder() : known;
    return isNewer === 'yes' ? `${there}, which is newer` : null;
  }
  // A force push, a moved tag, or a run that is late: the remote says now which commit the stream is at.
  const head = headOfStream(stream, refNameOf(repository.provider, request.ref), await deps.git.heads(repository, signal), matchGlob);
  return head === commit ? null : `${there} and the stream is at ${head?.slice(0, 12) ?? 'no commit'} now`;
}

/** False for a commit that the remote no longer has: a force push gave it up, and nothing that is there now is older. */
async function fetchIfThere(git: Git, repository: Repository, commit: string, signal: AbortSignal): Promise<boolean> {
  try {
    await git.fetch(repository, commit, signal);
    return true;
  } catch (error) {
    if (error instanceof GitError && error.reason === 'not-found' && error.missing !== 'repository') return false;
    throw error;
  }
}
