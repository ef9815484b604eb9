import type { Destination, Rule } from './bundle.ts';
import { isGlob, literalPrefix, type RefVariables } from './routing.ts';
import { anyNumber, anySlug, slugTail } from './target-pattern.ts';
import { expandTemplate, slugOf, templateVariables } from './templates.ts';
import type { Path } from './value.ts';

/** One entry of `environments` with all that it can lead to, as patterns (see `target-pattern.ts`). */
export interface PossibleRoute {
  /** Where the entry stands in the rule. */
  readonly path: Path;
  /** For messages: `branch main`, `tags v*`. */
  readonly label: string;
  readonly environment: string;
  /** Variables that make several environments of this one entry. */
  readonly opens: ReadonlySet<string>;
  readonly variables: RefVariables;
}

/** Every way into a rule. Expects templates that were checked. */
export function possibleRoutes(rule: Rule): PossibleRoute[] {
  const { branches, tags, pullRequests, paths } = rule.environments;
  const routes = [...refRoutes('branches', 'branch', branches), ...refRoutes('tags', 'tag', tags)];
  if (pullRequests !== undefined) {
    const variables = { number: anyNumber };
    const environment = expandTemplate(pullRequests, variables);
    routes.push({ path: ['environments', 'pullRequests'], label: 'a pull request', environment, opens: new Set(['number']), variables });
  }
  if (paths !== undefined) {
    const branch = slugOf(paths);
    const variables = branch === null ? {} : { branch };
    routes.push({ path: ['environments', 'paths'], label: `branch ${paths}`, environment: anySlug, opens: new Set(['paths']), variables });
  }
  return routes;
}

function refRoutes(field: string, kind: 'branch' | 'tag', entries: Readonly<Record<string, string>>): PossibleRoute[] {
  return Object.entries(entries).map(([pattern, template]) => {
    // An exact name without a slug is refused where it matters, at run time; here it is as good as any.
    const slug = isGlob(pattern) ? openSlug(literalPrefix(pattern)) : (slugOf(pattern) ?? anySlug);
    const variables = { [kind]: slug };
    const opens = isGlob(pattern) ? templateVariables(template) : new Set<string>();
    return { path: ['environments', field, pattern], label: `${kind} ${pattern}`, environment: expandTemplate(template, variables), opens, variables };
  });
}

function openSlug(prefix: string): string {
  const slug = slugOf(prefix);
  return slug === null ? anySlug : `${slug}${slugTail}`;
}

/** The places that a destination can have by one route, or the name of the variable that the route does not give. */
export function possiblePlace(tenant: string, rule: string, destination: Destination, route: PossibleRoute): { pattern: string } | { missing: string } {
  const variables = { tenant, rule, env: route.environment, ...route.variables };
  const missing = [...templateVariables(destination.place)].find((name) => !Object.hasOwn(variables, name));
  return missing === undefined ? { pattern: expandTemplate(destination.place, variables) } : { missing };
}
