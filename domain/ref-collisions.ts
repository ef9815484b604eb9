import type { Rule } from './bundle.ts';
import { anyNumber, anySlug, canMeet } from './target-pattern.ts';
import { expandTemplate, templateVariables } from './templates.ts';

/** A branch or tag as an entry of a rule sends it. */
export interface RoutedRef {
  readonly name: string;
  readonly slug: string | null;
  /** The entry: an exact name or a glob, and its template. */
  readonly pattern: string;
  readonly template: string;
  /** Null where the template needs a slug that the ref does not have. */
  readonly environment: string | null;
}

/**
 * Why a ref must not be followed, or null. Whoever can push a branch chooses its name; where that name decides an environment or a place, it must not
 * become one that belongs to another ref or to pull requests. A ref that the bundle names exactly never gives way to one that only a glob takes.
 */
export function refCollision(kind: 'branch' | 'tag', ref: RoutedRef, others: readonly RoutedRef[], rule: Rule): string | null {
  const namesEnvironment = templateVariables(ref.template).has(kind);
  const namesPlace = rule.to.some(({ place }) => templateVariables(place).has(kind));
  if (!namesEnvironment && !namesPlace) return null;
  if (ref.slug === null) return `${kind} ${ref.name} has no short name of [a-z0-9-], at most 63, that an environment or place could take; rename it`;
  const isExact = ref.pattern === ref.name;
  for (const other of others) {
    if (other.name === ref.name || (isExact && other.pattern !== other.name)) continue;
    if (namesPlace && other.slug === ref.slug) return `${kind} ${ref.name} and ${kind} ${other.name} both become "${ref.slug}"; rename or delete one of them`;
    const otherNames = templateVariables(other.template).has(kind);
    if (namesEnvironment && otherNames && other.environment === ref.environment)
      return `${kind} ${ref.name} and ${kind} ${other.name} both become environment "${ref.environment}"; rename or delete one of them`;
  }
  if (!namesEnvironment || ref.environment === null) return null;
  const owner = ownerOf(ref.environment, rule);
  return owner === null ? null : `${kind} ${ref.name} would become environment "${ref.environment}", which is that of ${owner}; rename it`;
}

/** Who has an environment by the bundle's own words, or null. */
export function ownerOf(environment: string, rule: Rule): string | null {
  const { branches, tags } = rule.environments;
  const fields = { branches, tags };
  for (const [field, entries] of Object.entries(fields)) {
    const entry = Object.entries(entries).find(([, template]) => template === environment);
    if (entry) return `entry "${entry[0]}" of environments.${field}`;
  }
  return isOfPullRequest(environment, rule) ? 'a pull request' : null;
}

/** Whether the name is one that `environments` makes up of a ref or a number. */
export function isMadeUp(environment: string, rule: Rule): boolean {
  const { branches, tags } = rule.environments;
  const templates = [...Object.values(branches), ...Object.values(tags)].filter((template) => templateVariables(template).size > 0);
  return isOfPullRequest(environment, rule) || templates.some((template) => canMeet(environment, expandTemplate(template, { branch: anySlug, tag: anySlug })));
}

/** Whether some pull request's environment has this name. */
export function isOfPullRequest(environment: string, rule: Rule): boolean {
  const { pullRequests } = rule.environments;
  return pullRequests !== undefined && canMeet(environment, expandTemplate(pullRequests, { number: anyNumber }));
}
