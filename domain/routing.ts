import type { Destination, Rule, Tenant } from './bundle.ts';
import { literalPattern } from './literal-pattern.ts';
import { InvalidInput } from './problem.ts';
import { isMadeUp, refCollision, type RoutedRef } from './ref-collisions.ts';
import { expandTemplate, isSlug, slugOf, templateVariables, type Variables } from './templates.ts';

/** Whether `text` (a ref name or a file path) matches a glob; `*` does not cross `/`. Injected: `clients/glob.ts` has the real one. */
export type GlobMatcher = (pattern: string, text: string) => boolean;

/** What happened to which ref. `branch` of a pull request is its source, for people; it never decides a place, since a fork names it. */
export type RefEvent =
  | { readonly kind: 'branch'; readonly name: string }
  | { readonly kind: 'tag'; readonly name: string }
  | { readonly kind: 'pull-request'; readonly number: number; readonly branch?: string };

export type Rules = Readonly<Record<string, Rule>>;

export type Route =
  | { readonly kind: 'environment'; readonly environment: string; readonly variables: RefVariables }
  /** The environments are in the tree: ask {@link pathEnvironments} with the files of the commit. */
  | { readonly kind: 'paths'; readonly variables: RefVariables }
  /** No entry of the rule matches; nothing to do. */
  | { readonly kind: 'unrouted'; readonly reason: string }
  /** An entry matches and cannot be followed; a person has to act. */
  | { readonly kind: 'refused'; readonly reason: string };

/** What the event gives to templates: slugs, and only those that it has. */
export interface RefVariables {
  readonly branch?: string;
  readonly tag?: string;
  readonly number?: string;
}

/** The rules of a tenant that take files from one repository. */
export function rulesOf(tenant: Tenant, repository: string): Rules {
  return Object.fromEntries(Object.entries(tenant.rules).filter(([, rule]) => rule.from.repository === repository));
}

/**
 * The stream of an event inside its repository, or null if none of the repository's rules routes it: `main` for a branch, `tags:v*` for a tag
 * (the most specific pattern of all rules that matches), `pr:42` for a pull request. No branch name holds a colon, so the three never meet.
 */
export function streamOf(rules: Rules, event: RefEvent, match: GlobMatcher): string | null {
  const all = Object.values(rules);
  switch (event.kind) {
    case 'branch':
      return all.some((rule) => rule.environments.paths === event.name || entryFor(rule.environments.branches, event.name, match) !== null) ? event.name : null;
    case 'tag': {
      const patterns = all.map((rule) => entryFor(rule.environments.tags, event.name, match)?.[0]).filter((pattern) => pattern !== undefined);
      const best = patterns.toSorted(bySpecificity)[0];
      // Tags that name their environments or places do not follow each other: each is the head of a stream of its own.
      if (best !== undefined && all.some((rule) => isNamedByTag(rule, event.name, match))) return `tags:${event.name}`;
      return best === undefined ? null : `tags:${best}`;
    }
    case 'pull-request':
      return all.some((rule) => rule.environments.pullRequests !== undefined) ? `pr:${event.number}` : null;
  }
}

function isNamedByTag(rule: Rule, tag: string, match: GlobMatcher): boolean {
  const entry = entryFor(rule.environments.tags, tag, match);
  return entry !== null && [entry[1], ...rule.to.map(({ place }) => place)].some((template) => template.includes('{tag}'));
}

/**
 * Where a rule sends an event. `refs` are the other branch (for a branch) or tag names (for a tag) of the repository, as far as they are known:
 * where the environment's name or a place is made from the ref's name, see {@link refCollision}.
 */
export function routeRule(ruleName: string, rule: Rule, event: RefEvent, match: GlobMatcher, refs: readonly string[] = []): Route {
  const { branches, tags, pullRequests, paths } = rule.environments;
  if (event.kind === 'pull-request') {
    if (pullRequests === undefined) return { kind: 'unrouted', reason: `rule ${ruleName} has no environments.pullRequests` };
    const variables = { number: String(event.number) };
    return { kind: 'environment', environment: expandTemplate(pullRequests, { ...variables }), variables };
  }
  const entries = event.kind === 'tag' ? tags : branches;
  const entry = entryFor(entries, event.name, match);
  const byPath = event.kind === 'branch' && paths === event.name;
  if (entry === null && !byPath) {
    const field = event.kind === 'tag' ? 'tags' : 'branches';
    return { kind: 'unrouted', reason: `no entry of environments.${field} of rule ${ruleName} matches ${event.kind} ${event.name}` };
  }
  const slug = slugOf(event.name);
  const variables = slug === null ? {} : { [event.kind]: slug };
  const refuse = (why: string): Route => ({ kind: 'refused', reason: `rule ${ruleName}: ${why}` });
  const ref = entry === null ? pathsRef(event.name, slug) : routedRef(event.kind, event.name, entry);
  const others = refs.flatMap((name) => {
    const found = entryFor(entries, name, match);
    return found === null ? [] : [routedRef(event.kind, name, found)];
  });
  const collision = refCollision(event.kind, ref, others, rule);
  if (collision !== null) return refuse(collision);
  if (entry === null) return { kind: 'paths', variables };
  const environment = ref.environment ?? '';
  if (isEnvironmentName(environment)) return { kind: 'environment', environment, variables };
  return refuse(`${event.kind} ${event.name} gives the environment name "${environment}", which is longer than 63 or reserved; rename it`);
}

function routedRef(kind: 'branch' | 'tag', name: string, [pattern, template]: readonly [string, string]): RoutedRef {
  const slug = slugOf(name);
  const environment = slug === null && templateVariables(template).has(kind) ? null : expandTemplate(template, { [kind]: slug ?? undefined });
  return { name, slug, pattern, template, environment };
}

/** The branch whose tree says the environments is named exactly, and names none itself. */
function pathsRef(name: string, slug: string | null): RoutedRef {
  return { name, slug, pattern: name, template: '', environment: null };
}

/** The entry for a name: an exact one, else the most specific glob that matches. */
export function entryFor(entries: Readonly<Record<string, string>>, name: string, match: GlobMatcher): readonly [pattern: string, environment: string] | null {
  const exact = Object.hasOwn(entries, name) ? entries[name] : undefined;
  if (exact !== undefined) return [name, exact];
  const globs = Object.keys(entries).filter((pattern) => isGlob(pattern) && match(pattern, name));
  const best = globs.toSorted(bySpecificity)[0];
  return best === undefined ? null : [best, entries[best] ?? ''];
}

/** Ref names hold none of these characters, so a pattern is never an exact name. */
export function isGlob(pattern: string): boolean {
  return /[*?[]/.test(pattern);
}

/** The text before the first glob character. */
export function literalPrefix(pattern: string): string {
  return /^[^*?[]*/.exec(pattern)?.[0] ?? '';
}

/** Most specific first: the longer literal beginning, then the longer pattern, then by letter, so that the order never depends on the file's. */
function bySpecificity(a: string, b: string): number {
  return literalPrefix(b).length - literalPrefix(a).length || b.length - a.length || (a < b ? -1 : 1);
}

/**
 * The environments that the tree of the `paths` branch declares: every text in the place of `{env}` of a file pattern for which a file is there.
 * Files that an entry without `{env}` names (`settings/base.yaml` beside `settings/{env}.yaml`) declare none. Throws InvalidInput for names that
 * no environment can have, so that a misnamed directory is told and not skipped.
 */
export function pathEnvironments(rule: Rule, files: readonly string[], match: GlobMatcher): string[] {
  const patterns = rule.from.files.map(({ pattern }) => pattern);
  const [open, fixed] = [patterns.filter(hasEnv), patterns.filter((pattern) => !hasEnv(pattern)).map((pattern) => expandTemplate(pattern, {}))];
  const names = new Map<string, string>();
  for (const pattern of open) {
    const candidate = new RegExp(`^${capturing(pattern)}$`, 'u');
    for (const file of files) {
      const name = candidate.exec(file)?.[1];
      if (name === undefined || names.has(name) || fixed.some((other) => match(other, file))) continue;
      if (match(expandTemplate(pattern, { env: name }), file)) names.set(name, file);
    }
  }
  const problems = [...names].flatMap(([name, file]) => {
    const message = pathEnvironmentProblem(name, rule);
    return message === null ? [] : [{ message, origin: { file, line: 1, column: 1 } }];
  });
  if (problems.length > 0) throw new InvalidInput(problems);
  return [...names.keys()].toSorted();
}

function pathEnvironmentProblem(name: string, rule: Rule): string | null {
  if (!isEnvironmentName(name)) return `"${name}" cannot be an environment's name; use [a-z0-9-], at most 63, not "default"`;
  return isMadeUp(name, rule) ? `"${name}" is a name that environments.branches, tags or pullRequests make up; choose another` : null;
}

/** A regular expression that finds what stands for `{env}`; too generous about globs, which are matched afterwards. */
function capturing(pattern: string): string {
  let seen = false;
  return pattern
    .split(/(\{env\}|\*\*\/|\*+|\?|\[[^\]]*\])/)
    .map((part) => {
      if (part === '{env}') {
        if (seen) return '\\1';
        seen = true;
        return '([^/]+)';
      }
      if (part === '**/') return '(?:.*/)?';
      if (isGlob(part)) return '.*';
      return literalPattern(part.replaceAll('{{', '{').replaceAll('}}', '}'));
    })
    .join('');
}

function hasEnv(pattern: string): boolean {
  return templateVariables(pattern).has('env');
}

/** `default` is what environment blocks call the part for all. */
export function isEnvironmentName(name: string): boolean {
  return isSlug(name) && name !== 'default';
}

/** The environment names a rule knows before any event: those written out in the bundle, and `found`, those of the tree or of this event. */
export function declaredEnvironments(rule: Rule, found: Iterable<string> = []): Set<string> {
  const { branches, tags } = rule.environments;
  const written = [...Object.values(branches), ...Object.values(tags)].filter((name) => templateVariables(name).size === 0);
  return new Set([...written, ...found]);
}

export interface PlaceVariables extends RefVariables {
  readonly tenant: string;
  readonly rule: string;
  readonly env: string;
}

/** The place of a destination for one environment. Throws InvalidInput naming a variable that the event does not have. */
export function expandPlace(destination: Destination, variables: PlaceVariables): string {
  return expandTemplate(destination.place, { ...variables } satisfies Variables);
}

/** A pattern of `files` for one environment. */
export function expandFile(pattern: string, environment: string): string {
  return expandTemplate(pattern, { env: environment });
}
