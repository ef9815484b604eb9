import type { Bundle, Rule, Tenant } from '../domain/bundle.ts';
import type { SinkDefinition } from '../sinks/sink.ts';
import type { OutlinedTarget } from './outline-stream.ts';
import { surveyRepository, type SurveyDeps } from './survey-repository.ts';

/** A target whose sink may tell of changes. */
export type SubscribedTarget = Pick<OutlinedTarget, 'id' | 'sink' | 'kind' | 'place' | 'capabilities' | 'policy'>;

export interface SubscribedTargets {
  readonly targets: readonly SubscribedTarget[];
  /** Why some may be missing. */
  readonly problem?: string;
}

/** How old the remote's word of which streams there are may be: a new place is checked by its interval until it is subscribed to. */
const HEADS_AGE_MS = 120_000;

/** Every target of a tenant that is watched for drift, at a sink of a kind that may tell of changes. */
export async function subscribedTargets(
  deps: SurveyDeps,
  definitions: Readonly<Record<string, SinkDefinition>>,
  bundle: Bundle,
  tenant: string,
  signal: AbortSignal,
): Promise<SubscribedTargets> {
  const found = bundle.tenants[tenant];
  if (!found) return { targets: [] };
  const rules = Object.values(found.rules).filter((rule) => rule.drift.mode !== 'off' && mayTell(found, rule, definitions));
  const wants = ({ kind, policy }: OutlinedTarget): boolean => policy.drift.mode !== 'off' && definitions[kind]?.notifies === true;
  const targets: SubscribedTarget[] = [];
  const problems: string[] = [];
  for (const repository of new Set(rules.map(({ from }) => from.repository))) {
    const survey = await surveyRepository(deps, { bundle, tenant, repository, wants, polls: false, maxAgeMs: HEADS_AGE_MS, runs: 'unasked' }, signal);
    for (const { target } of survey.targets) targets.push(target);
    problems.push(...survey.problems);
  }
  return { targets, ...(problems[0] !== undefined && { problem: problems[0] }) };
}

function mayTell(tenant: Tenant, { to }: Rule, definitions: Readonly<Record<string, SinkDefinition>>): boolean {
  return to.some(({ sink }) => definitions[tenant.sinks[sink]?.kind ?? '']?.notifies === true);
}
