import type { Rule } from '../domain/bundle.ts';
import { targetId } from '../domain/drift.ts';
import { InvalidInput } from '../domain/problem.ts';
import { pathEnvironments, routeRule, rulesOf, type RefVariables } from '../domain/routing.ts';
import type { TargetName } from '../domain/status.ts';
import { matchGlob } from '../clients/glob.ts';
import type { Capabilities, Place, SinkDefinition } from '../sinks/sink.ts';
import { isNamedByRef, otherRefs } from './compute-stream.ts';
import { placeOf } from './render-targets.ts';
import { repositoryOf, type StreamRequest } from './stream-state.ts';

/** A target as the bundle and a ref alone say it: where it is, not what belongs there. */
export interface OutlinedTarget extends Omit<TargetName, 'place'> {
  readonly id: string;
  /** Index of the destination in its rule. */
  readonly destination: number;
  readonly place: Place;
  readonly capabilities: Capabilities;
  readonly policy: Rule;
}

export interface OutlineOptions {
  readonly definitions: Readonly<Record<string, SinkDefinition>>;
  /** The paths of the commit's files; asked only where they say which environments there are. */
  readonly tree: () => Promise<readonly string[]>;
  /** All refs of the remote: where a place takes its name from a ref, another one may stand in its way. */
  readonly heads: ReadonlyMap<string, string>;
}

/**
 * The targets that a stream feeds, without a look into any file. A rule that cannot be followed from this ref has none: the run of the stream says why.
 * Throws GitError where the tree is needed and cannot be read.
 */
export async function outlineStream(request: StreamRequest, { definitions, tree, heads }: OutlineOptions): Promise<OutlinedTarget[]> {
  repositoryOf(request);
  const tenant = request.bundle.tenants[request.tenant];
  const rules = tenant ? rulesOf(tenant, request.repository) : {};
  const refs = Object.values(rules).some(isNamedByRef) ? otherRefs(request.event, heads) : [];
  const targets: OutlinedTarget[] = [];
  for (const [name, rule] of Object.entries(rules)) {
    const route = routeRule(name, rule, request.event, matchGlob, refs);
    if (route.kind !== 'environment' && route.kind !== 'paths') continue;
    const files = route.kind === 'paths' ? await tree() : [];
    try {
      const environments = route.kind === 'paths' ? pathEnvironments(rule, files, matchGlob) : [route.environment];
      for (const environment of environments) targets.push(...outlineRule(request, name, rule, environment, route.variables, definitions));
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
    }
  }
  return targets;
}

/** The targets of one rule in one environment. Throws InvalidInput where a place needs what the ref does not have. */
export function outlineRule(
  request: StreamRequest,
  name: string,
  rule: Rule,
  environment: string,
  route: RefVariables,
  definitions: Readonly<Record<string, SinkDefinition>>,
): OutlinedTarget[] {
  const variables = { ...route, tenant: request.tenant, rule: name, env: environment };
  return rule.to.map((_, index): OutlinedTarget => {
    const { definition, destination, sink, place, capabilities } = placeOf(request, rule, index, variables, definitions);
    const id = targetId({ rule: name, environment, destination });
    return { id, rule: name, environment, destination, sink, kind: definition.kind, place, capabilities, policy: rule };
  });
}
