import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { intentLedger, restoredLedger } from '../../domain/ledger.ts';
import type { Policy } from '../../domain/plan.ts';
import { ABSENT, applyModel, desiredOf, fingerprint, ledgerOf, placeOf, policyOf } from './plan-model.ts';
import { expectOfEveryWrite, owns, planned, world, written } from './plan-worlds.ts';

const isIgnored = (key: string): boolean => key.startsWith('p.') || key === 'a';
const ignoring = (fields: Partial<Policy> = {}): Policy => policyOf({ isIgnored, ...fields });
const settled = { inputsMoved: false } as const;

describe('a plan of a heal, whatever the world', () => {
  it('leaves what is ignored as it is, there or not, with its place in the ledger', () => {
    let ignored = 0;
    expectOfEveryWrite(
      (write, wish, there, _, after) => {
        if (there.corrupt !== undefined) return;
        const names = [...there.values.keys(), ...wish.entries.map(({ key }) => key), ...Object.keys(there.ledger?.keys ?? {})].filter(isIgnored);
        for (const name of names) {
          expect(after.values.get(name)).toBe(there.values.get(name));
          expect(write.ledger.keys[name]).toBe(owns(there, name) ? there.ledger?.keys[name] : undefined);
          expect(write.kept.includes(name)).toBe(write.kept.includes(name) && there.values.has(name));
        }
        ignored += names.length;
      },
      { isIgnored },
    );
    expect(ignored).toBeGreaterThan(300);
  });

  it('does to every other key what the plan of a push does', () => {
    let compared = 0;
    fc.assert(
      fc.property(world, ({ wish, there, rules }) => {
        const [push, heal] = [planned(wish, there, rules), planned(wish, there, { ...rules, isIgnored })];
        if (push.kind !== 'write' || heal.kind !== 'write' || 'corrupt' in there) return;
        const others = push.puts.filter(({ entry }) => !isIgnored(entry.key));
        expect(heal.puts).toEqual(others);
        expect(heal.deletes).toEqual(push.deletes.filter(({ key }) => !isIgnored(key)));
        expect(heal.adopted).toEqual(push.adopted.filter((key) => !isIgnored(key)));
        expect(heal.kept.filter((key) => !isIgnored(key))).toEqual(push.kept.filter((key) => !isIgnored(key)));
        compared++;
      }),
      { numRuns: 3000 },
    );
    expect(compared).toBeGreaterThan(300);
  });

  it('is followed by no other, and undone it is planned anew', () => {
    expectOfEveryWrite(
      (write, wish, there, rules, after) => {
        expect(planned({ ...wish, write: 'w3' }, after, rules)).toEqual({ kind: 'unchanged', generation: write.ledger.generation });
        const undone = { ...there, ledger: restoredLedger(write.ledger, there.ledger) };
        expect(planned(wish, undone, rules)).toMatchObject({ kind: 'write', puts: write.puts, deletes: write.deletes, kept: write.kept });
      },
      { isIgnored },
    );
  });

  it('that stopped half-way is finished by the next', () => {
    let finished = 0;
    fc.assert(
      fc.property(world, fc.array(fc.boolean(), { minLength: 16, maxLength: 16 }), ({ wish, there, rules: given }, done) => {
        const rules = { ...given, isIgnored, deletesAllowed: true };
        const first = planned(wish, there, rules);
        if (first.kind !== 'write' || rules.ownership === 'place') return;
        const half = { ...first, puts: first.puts.filter((_, n) => done[n]), deletes: first.deletes.filter((_, n) => done[n + 8]) };
        const stopped = applyModel(there, { ...half, ledger: intentLedger(first.ledger, there.ledger) }, rules.ownership);
        const next = written({ ...wish, ...settled, write: 'w3' }, stopped, rules);
        expect(applyModel(stopped, next, rules.ownership).values).toEqual(applyModel(there, first, rules.ownership).values);
        expect(next.ledger.keys).toEqual(first.ledger.keys);
        finished++;
      }),
      { numRuns: 3000 },
    );
    expect(finished).toBeGreaterThan(100);
  });
});

describe('what is ignored', () => {
  const wish = desiredOf({ a: '1', b: '1', 'p.x': '1' }, settled);
  const ledger = ledgerOf({ a: '1', b: '1', 'p.x': '1', 'p.old': '1' });

  it('is no drift, changed, missing or left over', () => {
    for (const ownership of ['keys', 'place'] as const) {
      expect(planned(wish, placeOf({ a: '9', b: '1', 'p.old': '1' }, ledger), ignoring({ ownership }))).toEqual({ kind: 'unchanged', generation: 1 });
      expect(planned(wish, placeOf({ b: '1' }, ledger), ignoring({ ownership }))).toEqual({ kind: 'unchanged', generation: 1 });
    }
    expect(planned(wish, placeOf({ b: '1', 'p.stranger': '7' }, ledger), ignoring({ ownership: 'place' }))).toEqual({ kind: 'unchanged', generation: 1 });
  });

  it('is kept in a document beside what is healed, and owned as before', () => {
    const plan = written(wish, placeOf({ a: '9', b: '2', extra: '1', 'p.stranger': '7' }, ledger), ignoring({ ownership: 'place' }));
    expect(plan.puts.map(({ entry }) => entry.key)).toEqual(['b']);
    expect(plan.deletes.map(({ key }) => key)).toEqual(['extra']);
    expect(plan.kept).toEqual(['a', 'p.stranger']);
    expect(plan.entries.map(({ key }) => key)).toEqual(['b']);
    expect(plan.ledger.keys).toEqual({ b: fingerprint('1'), a: fingerprint('1'), 'p.x': fingerprint('1'), 'p.old': fingerprint('1') });
  });

  it('makes no stranger of a place that nobody owns', () => {
    const place = placeOf({ a: '9', b: '1', 'p.theirs': '7' });
    expect(written(wish, place, ignoring({ ownership: 'place' }))).toMatchObject({ content: 'keep', adopted: ['b'], kept: ['a', 'p.theirs'] });
    expect(planned(wish, place, policyOf({ ownership: 'place' }))).toMatchObject({ kind: 'held' });
  });

  it('does not bring a place back that somebody removed when all of it is ignored', () => {
    const gone = { ...ABSENT, ledger: ledgerOf({ a: '1' }) };
    for (const ownership of ['keys', 'place'] as const) {
      expect(planned(desiredOf({ a: '1' }, settled), gone, ignoring({ ownership }))).toEqual({ kind: 'unchanged', generation: 1 });
    }
  });

  it('is written with all else where the place cannot be parsed', () => {
    const spoiled = { ...placeOf({}, ledger), corrupt: 'is not JSON' };
    const plan = written(wish, spoiled, ignoring({ ownership: 'place' }));
    expect(plan.entries.map(({ key }) => key)).toEqual(['a', 'b', 'p.x']);
    expect(plan.kept).toEqual([]);
  });
});
