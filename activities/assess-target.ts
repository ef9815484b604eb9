import { coveredBy } from '../domain/key-glob.ts';
import type { Bundle } from '../domain/bundle.ts';
import type { Fingerprint, Owner } from '../domain/ledger.ts';
import { plan, planRemoval, type Desired, type LiveState, type Plan, type Policy } from '../domain/plan.ts';
import { declaredEnvironments } from '../domain/routing.ts';
import { formatPath } from '../domain/value.ts';
import type { RuleState, TargetState } from './stream-state.ts';

export interface Assessment {
  readonly bundle: Bundle;
  readonly tenant: string;
  readonly repository: string;
  readonly stream: string;
  readonly commit: string;
  readonly rule: RuleState;
  readonly target: TargetState;
  readonly deletesAllowed: boolean;
  /** Whether it is a check or a heal, which leave alone what `drift.ignore` of the rule covers. */
  readonly mends: boolean;
  readonly write: string;
  readonly at: Date;
  readonly fingerprint: Fingerprint;
  /** Whether a commit after the ledger's touched the inputs; asked only when it decides something. */
  readonly inputsMoved: (ledgerCommit: string) => Promise<boolean>;
}

/** The plan for one target, given a fresh read. The same for a validation, a write, its proof and a dry run. */
export async function assessTarget(assessment: Assessment, live: LiveState): Promise<Plan> {
  const { tenant, repository, rule, target, commit, write, at } = assessment;
  const fingerprint = fingerprintsOf(target, assessment.fingerprint);
  const owner: Owner = { tenant, rule: rule.name, environment: rule.environment };
  const desired: Desired = {
    entries: target.entries,
    owner,
    stream: `${repository}/${assessment.stream}`,
    commit,
    inputsMoved: false,
    write,
    at: at.toISOString(),
  };
  const policy = policyOf(assessment);
  if (target.retired) return planRemoval(desired, live, policy);
  const first = plan(desired, live, policy, fingerprint);
  const ledger = live.ledger;
  if (first.kind !== 'unchanged' || !ledger || ledger.commit === commit || !(await assessment.inputsMoved(ledger.commit))) return first;
  // The values are right and the history moved: only the ledger follows, so that no late writer of a commit in between meets the state it read.
  return plan({ ...desired, inputsMoved: true }, live, policy, fingerprint);
}

const known = new WeakMap<TargetState, Map<string, string>>();

/** A run plans a target twice or more, and the fingerprints are most of a large plan's work. They are kept as long as the texts are. */
function fingerprintsOf(target: TargetState, fingerprint: Fingerprint): Fingerprint {
  const kept = known.get(target) ?? new Map<string, string>();
  known.set(target, kept);
  return (text) => {
    const found = kept.get(text) ?? fingerprint(text);
    kept.set(text, found);
    return found;
  };
}

function policyOf({ bundle, tenant, rule: { name, rule }, target, deletesAllowed, mends }: Assessment): Policy {
  return {
    ...(mends && rule.drift.ignore.length > 0 && { isIgnored: ignoredBy(rule.drift.ignore, target) }),
    ownership: target.capabilities.ownership,
    readBack: target.capabilities.values,
    prune: rule.prune,
    isProtected: coveredBy(rule.protect),
    maxDeletes: rule.limits.deletes,
    deletesAllowed,
    onExisting: rule.onExisting,
    // A rule or environment that the bundle no longer has cannot want the place back.
    inherits: (owner) =>
      owner.tenant === tenant &&
      (!Object.hasOwn(bundle.tenants[tenant]?.rules ?? {}, owner.rule) || (owner.rule === name && !declaredEnvironments(rule).has(owner.environment))),
  };
}

/** By the dotted path in Git or by the sink's own key, which is all that is known of one that Git no longer has. */
function ignoredBy(patterns: readonly string[], { entries }: TargetState): (key: string) => boolean {
  const covers = coveredBy(patterns);
  const byPath = new Set(entries.filter(({ path }) => covers(formatPath(path))).map(({ key }) => key));
  return (key) => byPath.has(key) || covers(key);
}
