import type { Scope } from './scope.ts';
import type { Draft, Variable } from './variables.ts';

/** What all variables of one deployment may have together, names and values. */
export const MAX_DEPLOYMENT_BYTES = 64 * 1024;

/**
 * The bytes of the deployment of the scope that has most, once `more` is there beside all that is there now, and what is replaced by it no longer.
 * Values that nobody can read count as their name.
 */
export function largestDeployment(
  variables: readonly Variable[],
  scope: Scope,
  more: readonly { readonly replaces: string | null; readonly bytes: number }[],
): number {
  const replaced = new Set(more.map((each) => each.replaces));
  const added = more.reduce((sum, each) => sum + each.bytes, 0);
  const sizes = [...scope.targets, ...scope.customEnvironments].map((environment) =>
    variables.reduce((sum, each) => sum + (appliesTo(each, environment, scope) && !replaced.has(each.id) ? bytesOf(each) : 0), added),
  );
  return Math.max(...sizes);
}

export function bytesOf({ key, value }: Pick<Draft, 'key' | 'value'>): number {
  return Buffer.byteLength(key) + Buffer.byteLength(value ?? '');
}

function appliesTo(variable: Variable, environment: string, { gitBranch }: Scope): boolean {
  const isInBranch = variable.gitBranch === null || variable.gitBranch === gitBranch;
  return isInBranch && (variable.targets.includes(environment) || variable.customEnvironments.includes(environment));
}
