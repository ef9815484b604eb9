import fc from 'fast-check';
import { expect } from 'vitest';
import type { Ledger } from '../../domain/ledger.ts';
import { plan, type Desired, type Plan, type Policy, type WritePlan } from '../../domain/plan.ts';
import { applyModel, desiredOf, fingerprint, ledgerOf, OWNER, policyOf, readModel, STRANGER, type ModelPlace } from './plan-model.ts';

// Every state that a place, its ledger, Git and a rule can be in, for properties of plans.

export function planned(desired: Desired, place: ModelPlace, policy: Policy): Plan {
  return plan(desired, readModel(place, desired, policy.ownership), policy, fingerprint);
}

export function written(desired: Desired, place: ModelPlace, policy: Policy): WritePlan {
  const result = planned(desired, place, policy);
  if (result.kind !== 'write') throw new Error(`it is ${result.kind}`);
  return result;
}

const key = fc.constantFrom('a', 'b', 'c', 'd', 'p.x', 'p.y', '__proto__', 'constructor');
const anyText = fc.constantFrom('1', '2', '3');
export const values = fc.array(fc.tuple(key, anyText), { maxLength: 6 }).map((entries) => new Map(entries));
const commit = fc.constantFrom('a'.repeat(40), 'b'.repeat(40));

const ledger: fc.Arbitrary<Ledger> = fc
  .record({
    keys: fc.array(fc.tuple(key, anyText), { maxLength: 6 }).map((entries) => Object.fromEntries(entries.map(([name, value]) => [name, fingerprint(value)]))),
    owner: fc.constantFrom(OWNER, OWNER, OWNER, STRANGER),
    state: fc.constantFrom('committed' as const, 'committed' as const, 'intent' as const),
    commit,
    generation: fc.integer({ min: 1, max: 9 }),
  })
  .map((fields) => ledgerOf({}, fields));

const soundPlace: fc.Arbitrary<ModelPlace> = fc
  .record({ values, hidden: fc.array(key, { maxLength: 2 }), ledger: fc.option(ledger), touched: fc.boolean() })
  .map(({ values: map, hidden: names, ledger: known, touched }) => {
    const hidden = new Set(names.filter((name) => map.has(name)));
    const held = new Map(map);
    // That somebody else changed a value which cannot be read is what nobody can see; then the ledger is right.
    for (const name of hidden) {
      const owned = known?.state === 'committed' && Object.hasOwn(known.keys, name) ? known.keys[name] : undefined;
      const text = (['1', '2', '3'] as const).find((each) => fingerprint(each) === owned);
      if (text) held.set(name, text);
    }
    return { exists: held.size > 0 || touched, values: held, hidden, ledger: known };
  });

const corruptPlace: fc.Arbitrary<ModelPlace> = fc
  .record({ values, ledger: fc.option(ledger) })
  .map((fields) => ({ ...fields, exists: true, hidden: new Set<string>(), corrupt: 'is not JSON' }));

export const policy: fc.Arbitrary<Policy> = fc
  .record({
    ownership: fc.constantFrom('keys' as const, 'place' as const),
    prune: fc.boolean(),
    protects: fc.boolean(),
    maxDeletes: fc.constantFrom(null, { percent: 30 }, { count: 1 }),
    deletesAllowed: fc.boolean(),
    onExisting: fc.constantFrom('refuse' as const, 'refuse' as const, 'overwrite' as const),
    inherits: fc.boolean(),
  })
  .map(({ protects, inherits, ...fields }) => policyOf({ ...fields, isProtected: (name) => protects && name.startsWith('p.'), inherits: () => inherits }));

export const desired: fc.Arbitrary<Desired> = fc
  .record({ values, commit, inputsMoved: fc.boolean() })
  .map(({ values: map, ...fields }) => desiredOf(map, fields));

export const world = fc
  .tuple(desired, fc.oneof({ weight: 5, arbitrary: soundPlace }, { weight: 1, arbitrary: corruptPlace }), policy)
  .map(([wish, there, rules]) => {
    // Only a place that is read as one document can be corrupt.
    const { corrupt, ...sound } = there;
    return { wish, there: rules.ownership === 'keys' && corrupt !== undefined ? sound : there, rules };
  });

export function owns(there: ModelPlace, name: string): boolean {
  return Object.hasOwn(there.ledger?.keys ?? {}, name);
}

/** Runs the property on each world whose plan is a write, and makes sure that there were some. */
export function expectOfEveryWrite(
  property: (write: WritePlan, wish: Desired, there: ModelPlace, rules: Policy, after: ModelPlace) => void,
  more: Partial<Policy> = {},
): void {
  let writes = 0;
  fc.assert(
    fc.property(world, ({ wish, there, rules: given }) => {
      const rules = { ...given, ...more };
      const result = planned(wish, there, rules);
      if (result.kind !== 'write') return;
      writes++;
      property(result, wish, there, rules, applyModel(there, result, rules.ownership));
    }),
    { numRuns: 3000 },
  );
  expect(writes).toBeGreaterThan(300);
}
