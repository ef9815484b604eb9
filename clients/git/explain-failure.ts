import { GitError, type GitErrorReason } from './git-error.ts';
import type { GitExit } from './run-git.ts';

/** What git and ssh say (under LC_ALL=C), most telling first: "Could not read from remote repository" follows many of them. */
const SAYINGS: readonly (readonly [pattern: RegExp, reason: GitErrorReason, advice: string, missing?: 'repository' | 'revision'])[] = [
  [
    /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|No .* host key is known/,
    'rejected',
    "the host's key is not the one in credentials.knownHosts; check it with the host's owner",
  ],
  [
    /SSL certificate problem|server certificate verification failed|SSL: no alternative certificate|self.signed certificate/,
    'rejected',
    'the certificate is not trusted; add its authority with SSL_CERT_FILE or GIT_SSL_CAINFO',
  ],
  [/transport '.*' not allowed/, 'rejected', 'the remote leads to a protocol that is not allowed'],
  [/dubious ownership/, 'rejected', 'the repository on disk belongs to another user; run as its owner'],
  [/mismatched algorithms|object-format/i, 'rejected', 'it uses SHA-256 object names, which are not supported'],
  [
    /Authentication failed|could not read (Username|Password)|Permission denied \(|returned error: 40[13]|Invalid username or|terminal prompts disabled/,
    'unauthorized',
    'check the credential: it may be wrong, expired or without access',
  ],
  [/couldn't find remote ref|not our ref|unadvertised object/, 'not-found', 'the remote does not have it; it may have been deleted or rewritten', 'revision'],
  [/expected commit type|is a (tree|blob), not a commit/, 'not-found', 'a branch or tag must lead to a commit', 'revision'],
  [
    /repository .* not found|does not appear to be a git repository|returned error: (404|410)|Repository not found|project you were looking for could not be found/i,
    'not-found',
    'check the url, and that the credential may read it',
    'repository',
  ],
  [
    /returned error: (408|429|5\d\d)|Could not resolve host|Connection (refused|reset|timed out|closed)|Operation timed out|Failed to connect|No route to host|hung up|unexpected disconnect|early EOF|RPC failed|Operation too slow|kex_exchange/i,
    'unavailable',
    'it is tried again',
  ],
  [
    /^error: object [0-9a-f]{40}: [a-zA-Z]+: /m,
    'rejected',
    'its history holds what git itself refuses (git fsck names it) and what no retry mends; rewrite that commit',
  ],
  [/No space left on device/, 'unavailable', 'the cache directory is full; make room'],
  [
    /not a git repository|bad config|packfile|pack .* is (bad|corrupt)|is corrupt|corrupt loose|bad object|object file .* is empty|inflate|unable to (read|unpack)|missing (blob|tree|object)|fsck error|bad tree|invalid (object|sha1 pointer)|did not send all necessary|unresolved deltas|index-pack/i,
    'corrupt',
    'if the remote itself is sound, delete the mirror and try again',
  ],
];

/** The error for a git command that failed. `what` says what was tried and names the repository; `secrets` are taken out of what git said. */
export function explainFailure(what: string, exit: GitExit, secrets: readonly string[] = []): GitError {
  if (exit.end === 'timeout') return new GitError('unavailable', `${what}: it took too long; it is tried again`);
  if (exit.end === 'output-limit')
    return new GitError('rejected', `${what}: git had more to say than the limit allows; the repository has too many entries or refs`);
  // What git quotes are names, and a name may be any of these sayings.
  const said = exit.stderr.replace(/'[^'\n]*'/g, "''");
  const saying = SAYINGS.find(([pattern]) => pattern.test(said));
  const [, reason, advice, missing] = saying ?? [null, 'unavailable' as const, 'it is tried again'];
  return new GitError(reason, `${what}: ${quote(exit, saying?.[0], secrets)}; ${advice}`, missing ? { missing } : {});
}

function quote({ code, stderr }: GitExit, pattern: RegExp | undefined, secrets: readonly string[]): string {
  const lines = stderr.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  let line = lines.find((candidate) => pattern?.test(candidate)) ?? lines.find((candidate) => candidate.startsWith('fatal:')) ?? lines[0];
  if (line === undefined) return code === -1 ? 'git was ended by a signal' : `git ended with ${code}`;
  for (const secret of secrets) if (secret) line = line.replaceAll(secret, '***');
  return line
    .replace(/^(fatal|error): /, '')
    .replace(/[\u0000-\u001f\u007f]/g, ' ')
    .slice(0, 300);
}
