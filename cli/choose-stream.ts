import { matchGlob } from '../clients/glob.ts';
import type { Bundle, Repository, Tenant } from '../domain/bundle.ts';
import { possibleRoutes } from '../domain/possible-routes.ts';
import { isGlob, rulesOf, streamOf, type RefEvent, type Rules } from '../domain/routing.ts';
import { CliError } from './cli-error.ts';

/** What a person wrote of a ref; `ref` is a branch. */
export interface RefChoice {
  readonly ref?: string;
  readonly tag?: string;
  readonly pullRequest?: number;
}

export interface ChosenStream {
  readonly tenant: string;
  readonly repository: string;
  readonly stream: string;
  readonly event: RefEvent;
}

/** The stream that a person means, by the bundle alone. An unknown name is answered with the known ones. */
export function chooseStream(bundle: Bundle, tenantName: string, repositoryName: string, choice: RefChoice): ChosenStream {
  const tenant = chooseTenant(bundle, tenantName);
  const repository = ownValue(tenant.repositories, repositoryName);
  if (!repository) {
    throw new CliError('unexpected', `tenant ${tenantName} has no repository "${repositoryName}"; it has ${listed(Object.keys(tenant.repositories))}`);
  }
  const rules = rulesOf(tenant, repositoryName);
  const event = eventOf(choice, repository, rules, repositoryName);
  const stream = streamOf(rules, event, matchGlob);
  if (stream === null) {
    const name = event.kind === 'pull-request' ? `pull request ${event.number}` : `${event.kind} "${event.name}"`;
    throw new CliError('unexpected', `no rule of tenant ${tenantName} takes ${name} of repository ${repositoryName}; they take ${listed(routesOf(rules))}`);
  }
  return { tenant: tenantName, repository: repositoryName, stream, event };
}

export function chooseTenant(bundle: Bundle, name: string): Tenant {
  const tenant = ownValue(bundle.tenants, name);
  if (!tenant) throw new CliError('unexpected', `the bundle has no tenant "${name}"; it has ${listed(Object.keys(bundle.tenants))}`);
  return tenant;
}

function eventOf({ ref, tag, pullRequest }: RefChoice, repository: Repository, rules: Rules, name: string): RefEvent {
  if (tag !== undefined && (ref !== undefined || pullRequest !== undefined)) {
    throw new CliError('unexpected', 'a tag, a branch and a pull request are three refs; name one of them');
  }
  if (tag !== undefined) return { kind: 'tag', name: tag };
  if (pullRequest !== undefined) {
    if (repository.provider === 'bitbucket' && ref === undefined) {
      throw new CliError('unexpected', 'Bitbucket has no refs for pull requests; name the source branch as well, before --pull-request');
    }
    return { kind: 'pull-request', number: pullRequest, ...(ref !== undefined && { branch: ref }) };
  }
  return { kind: 'branch', name: ref ?? onlyBranch(rules, name) };
}

/** Nobody has to name the branch where there is one. */
function onlyBranch(rules: Rules, repository: string): string {
  const branches = new Set(
    Object.values(rules).flatMap(({ environments }) => [
      ...Object.keys(environments.branches).filter((pattern) => !isGlob(pattern)),
      ...(environments.paths === undefined ? [] : [environments.paths]),
    ]),
  );
  const [only] = branches;
  if (only === undefined || branches.size > 1) {
    throw new CliError('unexpected', `which branch of repository ${repository}? The rules take ${listed(routesOf(rules))}`);
  }
  return only;
}

function routesOf(rules: Rules): string[] {
  return [...new Set(Object.values(rules).flatMap((rule) => possibleRoutes(rule).map((route) => route.label)))];
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}

function ownValue<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
