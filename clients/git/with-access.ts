import type { Repository } from '../../domain/bundle.ts';
import type { Access, AccessProvider } from './access.ts';
import { GitError } from './git-error.ts';
import type { Remote } from './remote.ts';

/**
 * Speaks to a remote, and once more where it refused a credential that a memory may have given and that is another one by now. A credential of the
 * environment or of a file is read each time anyway.
 */
export async function withAccess<T>(provider: AccessProvider, repository: Repository, remote: Remote, use: (access: Access) => Promise<T>): Promise<T> {
  const access = await provider.for(repository, remote);
  try {
    return await use(access);
  } catch (error) {
    const { credentials } = repository;
    const isOfVault = credentials !== undefined && Object.values(credentials).some((reference) => typeof reference === 'object' && 'vault' in reference);
    if (!isOfVault || !(error instanceof GitError) || error.reason !== 'unauthorized') throw error;
    const again = await provider.for(repository, remote, { notBefore: Date.now() });
    if (again.fingerprint === access.fingerprint) throw error;
    return use(again);
  }
}
