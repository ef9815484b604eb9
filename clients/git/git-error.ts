/**
 * Why Git could not answer. `unavailable`: network, timeout, an overloaded host; retry. For good until somebody changes something:
 * `unauthorized` (credentials), `not-found` (repository or ref), `rejected` (host key, forbidden protocol, a limit), `corrupt` (the remote's
 * objects, or a mirror that a rebuild did not mend).
 */
export type GitErrorReason = 'unavailable' | 'unauthorized' | 'not-found' | 'rejected' | 'corrupt';

/** What this client throws when Git, the network or the mirror failed. The message names the repository without credentials and says what to do. */
export class GitError extends Error {
  override readonly name = 'GitError';
  readonly reason: GitErrorReason;
  /**
   * For `not-found`: what the remote lacks. A ref that is gone is an everyday answer; a repository that is gone may as well be a credential without
   * access, because forges say the same for both.
   */
  readonly missing: 'repository' | 'revision' | undefined;

  constructor(reason: GitErrorReason, message: string, details: { readonly missing?: 'repository' | 'revision'; readonly cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.reason = reason;
    this.missing = details.missing;
  }
}
