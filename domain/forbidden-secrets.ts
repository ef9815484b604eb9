import type { SecretManager } from './bundle.ts';
import type { LocatedSecret } from './find-secrets.ts';
import type { Problem } from './problem.ts';

/** References to what the bundle does not let the tenant's files and schemas name, whatever Vault's own policy says. */
export function forbiddenSecrets(
  secrets: readonly LocatedSecret[],
  managers: Readonly<Record<string, Pick<SecretManager, 'paths'>>>,
  matches: (glob: string, path: string) => boolean,
): Problem[] {
  return secrets.flatMap(({ manager, path, key, origin }): Problem[] => {
    const globs = managers[manager]?.paths;
    if (!globs || globs.some((glob) => matches(glob, path))) return [];
    const list = globs.length === 0 ? 'none' : globs.join(', ');
    return [{ message: `the bundle does not allow ${manager}:${path}; paths of the secret manager ${manager}: ${list}`, key, origin }];
  });
}
