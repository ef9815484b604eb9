import { routeRule, rulesOf } from '../domain/routing.ts';
import { matchGlob } from '../clients/glob.ts';
import type { ComputeOptions } from './compute-rule.ts';
import { outlineRule } from './outline-stream.ts';
import { repositoryOf, type RuleState, type StreamRequest, type StreamState, type TargetState } from './stream-state.ts';

/**
 * What a closed pull request asks of the targets of its stream: that they are given up. Its ref may be gone, so Git is not read; a destination whose
 * failure would undo the others makes no sense here, so every rule goes on.
 */
export function retiredState(request: StreamRequest, { definitions, fingerprint }: Pick<ComputeOptions, 'definitions' | 'fingerprint'>): StreamState {
  repositoryOf(request);
  const tenant = request.bundle.tenants[request.tenant];
  const rules = tenant ? Object.entries(rulesOf(tenant, request.repository)) : [];
  const states = rules.flatMap(([name, rule]): RuleState[] => {
    const route = routeRule(name, rule, request.event, matchGlob);
    if (route.kind !== 'environment') return [];
    const targets = outlineRule(request, name, rule, route.environment, route.variables, definitions).map(
      ({ destination, sink, kind, place, capabilities }): TargetState => ({
        destination,
        sink,
        kind,
        place,
        capabilities,
        entries: [],
        secretKeys: new Set(),
        digest: fingerprint('given up'),
        retired: true,
      }),
    );
    return [{ name, rule: { ...rule, onFailure: 'continue' }, environment: route.environment, targets, secrets: [], inputs: [] }];
  });
  return { commit: request.commit, rules: states, unrouted: [] };
}
