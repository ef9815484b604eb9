import { createHash } from 'node:crypto';
import type { VercelFields } from './options.ts';
import type { Draft } from './variables.ts';

/** For which deployments a variable is. One key can have a variable in each of several scopes that do not overlap. */
export type Scope = Pick<Draft, 'targets' | 'gitBranch' | 'customEnvironments'>;

export function scopeOf({ targets, gitBranch, customEnvironments }: VercelFields): Scope {
  return { targets, gitBranch: gitBranch ?? null, customEnvironments };
}

export function isSameScope(a: Scope, b: Scope): boolean {
  return scopeText(a) === scopeText(b);
}

/** Whether the API takes two variables of one key for one and the same. */
export function isOverlapping(a: Scope, b: Scope): boolean {
  if (a.gitBranch !== b.gitBranch) return false;
  return a.targets.some((each) => b.targets.includes(each)) || a.customEnvironments.some((each) => b.customEnvironments.includes(each));
}

/** For messages: `preview, production`, `preview of feature/x`. */
export function describeScope({ targets, gitBranch, customEnvironments }: Scope): string {
  return [...targets, ...customEnvironments].join(', ') + (gitBranch === null ? '' : ` of ${gitBranch}`);
}

/** Eight hex digits that name the scope in the names of varTrack's own variables and in comments. */
export function scopeId(scope: Scope): string {
  return createHash('sha256').update(scopeText(scope)).digest('hex').slice(0, 8);
}

/** The same text for equal scopes; part of a target's identity. */
export function scopeText({ targets, gitBranch, customEnvironments }: Scope): string {
  return JSON.stringify([targets, gitBranch, customEnvironments]);
}
