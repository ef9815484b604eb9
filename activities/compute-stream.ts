import { schemaFiles } from '../clients/cue/cue.ts';
import type { Git } from '../clients/git.ts';
import { matchGlob } from '../clients/glob.ts';
import type { FilePattern, Repository, Rule, Tenant } from '../domain/bundle.ts';
import { InvalidInput, type Problem } from '../domain/problem.ts';
import { declaredEnvironments, expandFile, isGlob, pathEnvironments, routeRule, rulesOf, type RefEvent } from '../domain/routing.ts';
import { collect, computeRule, parseOnce, type ComputeOptions, type Part } from './compute-rule.ts';
import { repositoryOf, type StreamRequest, type StreamState } from './stream-state.ts';

/** Targets of one run: each is an activity of its own, and Temporal takes 2,000 of one workflow at a time. */
const MAX_TARGETS = 1_000;

/** Reads a commit and validates every rule that takes part and is asked for, in every environment. Throws InvalidInput with all that is wrong. */
export async function computeStream(request: StreamRequest, options: ComputeOptions, signal: AbortSignal): Promise<StreamState> {
  const tenant = tenantOf(request);
  const repository = repositoryOf(request);
  const snapshot = await options.git.open(repository, request.commit, signal);
  const tree = (await snapshot.list(signal)).map((entry) => entry.path);
  const problems: Problem[] = [];
  const { parts, unrouted } = await routeRules(request, tenant, repository, tree, options.git, problems, signal);
  const content = await snapshot.read([...new Set(parts.flatMap((part) => [...part.files.flatMap((file) => file.paths), ...part.schemaPaths]))], signal);

  const parse = parseOnce(content);
  const rules = await Promise.all(
    parts.map(async (part) => {
      const found: Problem[] = [];
      const state = await collect(found, () => computeRule(request, part, parse, content, options, signal));
      for (const problem of found) problems.push({ rule: part.name, ...problem });
      return state;
    }),
  );
  if (problems.length > 0) throw new InvalidInput(problems);
  return { commit: request.commit, rules: rules.filter((rule) => rule !== undefined), unrouted };
}

async function routeRules(
  request: StreamRequest,
  tenant: Tenant,
  repository: Repository,
  tree: readonly string[],
  git: Git,
  problems: Problem[],
  signal: AbortSignal,
): Promise<{ parts: Part[]; unrouted: string[] }> {
  const parts: Part[] = [];
  const unrouted: string[] = [];
  let targets = 0;
  const rules = rulesOf(tenant, request.repository);
  const refs = Object.values(rules).some(isNamedByRef) ? otherRefs(request.event, await git.heads(repository, signal)) : [];
  const present = new Set(tree);
  for (const [name, rule] of Object.entries(rules)) {
    if (request.rules && !request.rules.includes(name)) continue;
    const route = routeRule(name, rule, request.event, matchGlob, refs);
    if (route.kind === 'unrouted') unrouted.push(route.reason);
    else if (route.kind === 'refused') problems.push({ rule: name, message: route.reason });
    else {
      const environments = route.kind === 'environment' ? [route.environment] : await collectAll(problems, name, () => pathEnvironments(rule, tree, matchGlob));
      targets += environments.length * rule.to.length;
      if (targets > MAX_TARGETS) throw tooManyTargets(name, environments.length, targets);
      const declared = declaredEnvironments(rule, environments);
      for (const environment of environments) {
        const files = rule.from.files.map((pattern) => matchFiles(pattern, environment, tree, present, name, problems));
        const schemaPaths = rule.schema === 'none' ? [] : schemaFiles(tree, rule.schema.file);
        parts.push({ name, rule, environment, variables: route.variables, declared, files, schemaPaths });
      }
    }
  }
  return { parts, unrouted };
}

function tooManyTargets(rule: string, environments: number, targets: number): InvalidInput {
  const message = `with its ${environments} environments the commit has ${targets} targets, more than the ${MAX_TARGETS} of one run; split the repository`;
  return new InvalidInput([{ rule, message }]);
}

/** Whether an environment or a place takes its name from the ref, so that two refs could meet there. */
export function isNamedByRef(rule: Rule): boolean {
  const templates = [...Object.values(rule.environments.branches), ...Object.values(rule.environments.tags), ...rule.to.map(({ place }) => place)];
  return templates.some((template) => /\{(?:branch|tag)\}/.test(template));
}

/** The names of the refs of an event's own kind. */
export function otherRefs(event: RefEvent, heads: ReadonlyMap<string, string>): string[] {
  const prefix = event.kind === 'tag' ? 'refs/tags/' : 'refs/heads/';
  return [...heads.keys()].flatMap((ref) => (ref.startsWith(prefix) ? [ref.slice(prefix.length)] : []));
}

function matchFiles(
  pattern: FilePattern,
  environment: string,
  tree: readonly string[],
  present: ReadonlySet<string>,
  rule: string,
  problems: Problem[],
): Part['files'][number] {
  const path = expandFile(pattern.pattern, environment);
  const glob = !present.has(path) && isGlob(path);
  const paths = glob ? tree.filter((file) => matchGlob(path, file)).toSorted() : [path].filter((file) => present.has(file));
  if (paths.length === 0 && !pattern.optional) {
    const message = `${glob ? 'no file matches' : 'the commit has no file'} ${path}; add it, or mark it as optional with a trailing "?" in the bundle`;
    problems.push({ rule, message });
  }
  return { pattern, paths };
}

async function collectAll(problems: Problem[], rule: string, act: () => string[]): Promise<string[]> {
  const found: Problem[] = [];
  const names = await collect(found, act);
  for (const problem of found) problems.push({ rule, ...problem });
  return names ?? [];
}

function tenantOf({ bundle, tenant }: StreamRequest): Tenant {
  const found = bundle.tenants[tenant];
  if (!found) throw new InvalidInput([{ message: `the bundle has no tenant ${tenant}` }]);
  return found;
}
