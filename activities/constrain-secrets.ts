import type { SecretManagers } from '../clients/vault/managers.ts';
import { InvalidInput, type Problem } from '../domain/problem.ts';
import { createRedactor } from '../domain/redact.ts';
import type { PinnedSecret } from './activity-types.ts';
import type { Attempt } from './attempt.ts';
import { resolveSecrets } from './resolve-secrets.ts';
import type { RuleState } from './stream-state.ts';

/**
 * Rules with `constrain: value` are validated once more with the values in the versions that will be written, which are let go of at once. Throws
 * InvalidInput with problems that quote none of them.
 */
export async function constrainSecrets(
  secrets: SecretManagers,
  tenant: string,
  pins: ReadonlyMap<RuleState, readonly PinnedSecret[]>,
  { signal, conceal }: Pick<Attempt, 'signal' | 'conceal'>,
): Promise<void> {
  const problems: Problem[] = [];
  for (const [rule, pinned] of pins) {
    if (!rule.recheck) continue;
    const resolved = await resolveSecrets(secrets, tenant, rule.secrets, pinned, signal);
    try {
      const values = resolved.values.map((value) => value.reveal());
      conceal(values);
      const redact = createRedactor(values);
      for (const problem of await rule.recheck(resolved.secretOf, signal)) problems.push({ rule: rule.name, ...problem, message: redact(problem.message) });
    } finally {
      resolved.erase();
    }
  }
  if (problems.length > 0) throw new InvalidInput(problems);
}
