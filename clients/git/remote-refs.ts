import type { Access } from './access.ts';
import { gitEnvironment } from './environment.ts';
import { explainFailure } from './explain-failure.ts';
import type { Remote } from './remote.ts';
import type { GitRunner } from './run-git.ts';

const REF = /^refs\/(heads\/.+|tags\/.+|pull\/\d+\/head|merge-requests\/\d+\/head)$/;
const MAX_REFS_BYTES = 64 * 1024 ** 2;

/** Where the refs that varTrack knows stand at the remote: name → commit. */
export async function remoteRefs(
  runner: GitRunner,
  remote: Remote,
  access: Access,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const exit = await runner.run({
    args: ['ls-remote', '--quiet', '--end-of-options', remote.url],
    env: gitEnvironment(null, remote.protocol, access.settings, access.variables),
    timeoutMs,
    maxOutputBytes: MAX_REFS_BYTES,
    lane: 'network',
    signal,
  });
  if (exit.end !== 'exit' || exit.code !== 0) throw explainFailure(`cannot ask ${remote.url} for its refs`, exit, access.secrets);
  const refs = new Map<string, string>();
  for (const line of exit.stdout.toString().split('\n')) {
    const [object, name] = line.split('\t');
    // `^{}` follows an annotated tag, with the commit that it leads to.
    const ref = name?.replace(/\^\{\}$/, '');
    if (object && ref && REF.test(ref)) refs.set(ref, object);
  }
  return refs;
}
