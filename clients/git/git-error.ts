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

  constructor(reason: GitErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
