import { GitError } from './git-error.ts';
import type { Mirror } from './mirror.ts';

/** Runs `use`; if the mirror turns out to be damaged, removes it, says so, and runs `again`, once. */
export async function mending<T>(mirror: Mirror, log: (message: string) => void, use: () => Promise<T>, again: () => Promise<T>): Promise<T> {
  const identity = await mirror.identity();
  try {
    return await use();
  } catch (error) {
    if (isSystemError(error)) throw new GitError('unavailable', `the Git cache ${mirror.directory} cannot be used: ${error.message}`, { cause: error });
    if (!(error instanceof GitError) || error.reason !== 'corrupt') throw error;
    log(`the mirror ${mirror.directory} is damaged and is made anew: ${error.message}`);
    await mirror.drop(identity);
    return again();
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
