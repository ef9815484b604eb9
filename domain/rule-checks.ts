import { PLACE_VARIABLES, type Rule } from './bundle.ts';
import { possibleRoutes } from './possible-routes.ts';
import type { Problem } from './problem.ts';
import { isEnvironmentName, isGlob, type GlobMatcher, entryFor } from './routing.ts';
import { isOfPullRequest } from './ref-collisions.ts';
import { canMeet } from './target-pattern.ts';
import { expandTemplate, templateProblem, templateVariables } from './templates.ts';
import { formatPath, type Path } from './value.ts';

/** What one rule shows to be wrong by itself: its templates, entries and file patterns. `at` is the rule's path in the bundle. */
export function checkRule(rule: Rule, at: Path, match: GlobMatcher): Problem[] {
  const found = [...environmentProblems(rule, match), ...fileProblems(rule), ...placeTemplateProblems(rule)];
  return found.map(([path, message]) => ({ key: formatPath([...at, ...path]), message }));
}

type Found = readonly [path: Path, message: string];

function environmentProblems(rule: Rule, match: GlobMatcher): Found[] {
  const { branches, tags, pullRequests, paths } = rule.environments;
  const found: Found[] = [];
  for (const [field, variable, entries] of [
    ['branches', 'branch', branches],
    ['tags', 'tag', tags],
  ] as const) {
    for (const [pattern, template] of Object.entries(entries)) {
      const path = ['environments', field, pattern];
      const message = refPatternProblem(pattern) ?? environmentProblem(template, variable);
      if (message !== null) found.push([path, message]);
      else if (sharesWithPullRequests(template, rule)) found.push([path, 'is the name of the environment of a pull request; choose another']);
    }
  }
  if (pullRequests !== undefined) {
    const message =
      environmentProblem(pullRequests, 'number') ??
      (templateVariables(pullRequests).size === 0 ? 'needs {number}: pull requests must not share an environment' : null);
    if (message !== null) found.push([['environments', 'pullRequests'], message]);
  }
  if (paths !== undefined) found.push(...pathsProblems(rule, paths, match));
  if (Object.keys(branches).length + Object.keys(tags).length === 0 && pullRequests === undefined && paths === undefined) {
    found.push([['environments'], 'routes nothing; write branches, tags, pullRequests or paths']);
  }
  return found.length > 0 ? found : openEntryProblems(rule);
}

/**
 * Entries for branches and for tags that make up environments and could make up the same. What pull requests and trees make up is left to the run,
 * which refuses the branch, tag or file that comes too close.
 */
function openEntryProblems(rule: Rule): Found[] {
  const open = possibleRoutes(rule).filter(({ path, opens }) => opens.size > 0 && (path[1] === 'branches' || path[1] === 'tags'));
  return open.flatMap((route, index): Found[] => {
    const other = open.slice(0, index).find(({ path, environment }) => path[1] !== route.path[1] && canMeet(environment, route.environment));
    return other ? [[route.path, `can give the same environment as ${other.label}; tell them apart by a beginning of their own, such as tag-{tag}`]] : [];
  });
}

/** A name written out that some pull request's environment has; names that are made from a ref are looked at when there is one. */
function sharesWithPullRequests(template: string, rule: Rule): boolean {
  const { pullRequests = '' } = rule.environments;
  return environmentProblem(pullRequests, 'number') === null && templateVariables(template).size === 0 && isOfPullRequest(template, rule);
}

/** What is wrong with the name of an environment, which may use one variable. */
function environmentProblem(template: string, variable: string): string | null {
  const message = templateProblem(template, [variable]);
  if (message !== null) return message;
  if (template === 'default') return 'is the name of the part of environment blocks that is for all; choose another';
  return isEnvironmentName(expandTemplate(template, { [variable]: '1' }))
    ? null
    : 'is not a name of an environment; use a-z, 0-9 and dashes inside, at most 63';
}

/** Why no ref could ever match, or null. */
function refPatternProblem(pattern: string): string | null {
  if (/^refs\/(?:heads|tags)\//.test(pattern)) return 'can never match: write the short name, without refs/heads/ or refs/tags/';
  const plain = pattern.replaceAll(/\[[^\]]*\]/g, 'x');
  if (plain === '' || /[\s~^:\\]|\.\.|@\{|^\/|\/$|\/\/|\.lock$/.test(plain)) return 'can never match: no branch or tag can have such a name';
  return null;
}

function pathsProblems(rule: Rule, paths: string, match: GlobMatcher): Found[] {
  const at = ['environments', 'paths'];
  const found: Found[] = [];
  if (isGlob(paths)) found.push([at, 'is the name of one branch; globs are for branches']);
  else if (refPatternProblem(paths) !== null) found.push([at, refPatternProblem(paths) ?? '']);
  const entry = entryFor(rule.environments.branches, paths, match);
  if (entry) found.push([at, `is never reached: environments.branches sends branch ${paths} by its entry "${entry[0]}" already; remove one of the two`]);
  const hasEnv = rule.from.files.some(({ pattern }) => templateProblem(pattern, ['env']) === null && templateVariables(pattern).has('env'));
  if (!hasEnv) found.push([at, 'needs {env} in at least one entry of from.files, to tell the environments of the tree']);
  return found;
}

function fileProblems(rule: Rule): Found[] {
  const found: Found[] = rule.from.files.flatMap(({ pattern }, index) => {
    const message = templateProblem(pattern, ['env']) ?? repositoryPathProblem(pattern);
    return message === null ? [] : [[['from', 'files', String(index)], message] as const];
  });
  if (rule.schema !== 'none') {
    const message = repositoryPathProblem(rule.schema.file);
    if (message !== null) found.push([['schema', 'file'], message]);
  }
  return found;
}

/** What is wrong with a path inside a repository, or null. */
function repositoryPathProblem(path: string): string | null {
  if (path === '') return 'must not be empty';
  if (path.startsWith('/')) return 'must be relative to the root of the repository, without a slash at its beginning';
  if (path.includes('\\')) return 'must not hold a backslash; directories are divided by /';
  const segments = path.split('/');
  if (segments.includes('..')) return 'must not hold ..: files come from the repository only';
  if (segments.includes('.') || segments.includes('')) return 'can never match: remove ./ and doubled or final slashes';
  return null;
}

function placeTemplateProblems(rule: Rule): Found[] {
  return rule.to.flatMap(({ place }, index) => {
    const message = templateProblem(place, PLACE_VARIABLES);
    return message === null ? [] : [[['to', String(index), 'place'], message] as const];
  });
}
