import type { Policy } from '../../domain/plan.ts';

/** What a rule that says nothing gives for a shared place whose values can be read back, with what a test has otherwise. */
export function policyOf(fields: Partial<Policy> = {}): Policy {
  return {
    ownership: 'keys',
    readBack: 'readable',
    prune: true,
    isProtected: () => false,
    maxDeletes: null,
    deletesAllowed: false,
    onExisting: 'refuse',
    inherits: () => false,
    ...fields,
  };
}
