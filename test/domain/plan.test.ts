import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { intentLedger, restoredLedger, type Ledger } from '../../domain/ledger.ts';
import { digestOf, planRemoval, removesPlace, type Plan, type Policy } from '../../domain/plan.ts';
import { ABSENT, applyModel, desiredOf, fingerprint, ledgerOf, OWNER, placeOf, policyOf, STRANGER } from './plan-model.ts';
import { desired, expectOfEveryWrite, owns, planned, policy, values, world, written } from './plan-worlds.ts';

const reasonsOf = (result: Plan): readonly string[] => (result.kind === 'held' ? result.holds.map((hold) => hold.reason) : [result.kind]);
const messagesOf = (result: Plan): string => (result.kind === 'held' ? result.holds.map((hold) => hold.message).join('\n') : result.kind);

describe('a written plan', () => {
  it('gives each desired key its value', () => {
    expectOfEveryWrite((_, wish, __, ___, after) => {
      for (const entry of wish.entries) expect(after.values.get(entry.key)).toBe(entry.text);
    });
  });

  it('leaves every key alone that the ledger does not own, unless the rule overwrites it (I4)', () => {
    expectOfEveryWrite((_, wish, there, rules, after) => {
      if (rules.onExisting === 'overwrite') return;
      if (rules.ownership === 'place' && there.ledger && Object.keys(there.ledger.keys).length > 0) return;
      for (const [name, before] of there.values) if (!owns(there, name)) expect(after.values.get(name)).toBe(before);
      expect(wish.entries.every((entry) => owns(there, entry.key) || !there.values.has(entry.key) || there.values.get(entry.key) === entry.text)).toBe(true);
    });
  });

  it('in a shared place never touches a key that is neither desired nor owned, whatever the rule says (I4)', () => {
    expectOfEveryWrite((_, wish, there, rules, after) => {
      if (rules.ownership !== 'keys') return;
      const wanted = new Set(wish.entries.map((entry) => entry.key));
      for (const [name, before] of there.values) if (!owns(there, name) && !wanted.has(name)) expect(after.values.get(name)).toBe(before);
      expect([...after.values.keys()].filter((name) => !there.values.has(name) && !wanted.has(name))).toEqual([]);
    });
  });

  it('removes what is owned and no longer desired, but not what is protected, or where nothing is pruned', () => {
    expectOfEveryWrite((_, wish, there, rules, after) => {
      const wanted = new Set(wish.entries.map((entry) => entry.key));
      if (there.corrupt !== undefined) return;
      for (const [name, before] of there.values) {
        if (!owns(there, name) || wanted.has(name)) continue;
        expect(after.values.get(name)).toBe(rules.prune && !rules.isProtected(name) ? undefined : before);
      }
    });
  });

  it('never deletes when nothing is desired, and never above the limit unless that was allowed', () => {
    expectOfEveryWrite((write, wish, there, rules) => {
      if (wish.entries.length === 0) expect(write.deletes).toEqual([]);
      if (wish.entries.length === 0) expect(there.corrupt).toBeUndefined();
      if (!rules.deletesAllowed && rules.maxDeletes && 'count' in rules.maxDeletes) expect(write.deletes.length).toBeLessThanOrEqual(rules.maxDeletes.count);
    });
  });

  it('makes a ledger one generation on that owns exactly the desired keys and the kept ones that are there', () => {
    expectOfEveryWrite((write, wish, there, _, after) => {
      expect(write.ledger).toMatchObject({
        owner: OWNER,
        commit: wish.commit,
        state: 'committed',
        write: wish.write,
        generation: (there.ledger?.generation ?? 0) + 1,
      });
      const owned = Object.keys(write.ledger.keys);
      const wanted = wish.entries.map((entry) => entry.key);
      expect(owned.filter((name) => !after.values.has(name))).toEqual([]);
      expect(owned.toSorted()).toEqual([...new Set([...wanted, ...write.kept.filter((name) => owns(there, name))])].toSorted());
      for (const entry of wish.entries) expect(Object.entries(write.ledger.keys)).toContainEqual([entry.key, fingerprint(entry.text)]);
    });
  });

  it('is followed by no other: the same commit then changes nothing (I10)', () => {
    expectOfEveryWrite((write, wish, _, rules, after) => {
      for (const inputsMoved of [true, false]) {
        expect(planned({ ...wish, inputsMoved, write: 'w3' }, after, rules)).toEqual({ kind: 'unchanged', generation: write.ledger.generation });
      }
    });
  });

  it('undone, leaves a ledger under which the same write is planned anew', () => {
    expectOfEveryWrite((write, wish, there, rules) => {
      const undone = { ...there, ledger: restoredLedger(write.ledger, there.ledger) };
      const again = planned(wish, undone, rules);
      expect(again).toMatchObject({ kind: 'write', ledger: { generation: write.ledger.generation + 2 } });
      expect(again).toMatchObject({ puts: write.puts, deletes: write.deletes, adopted: write.adopted, kept: write.kept });
    });
  });

  it('that stopped anywhere half-way is finished by the next plan', () => {
    let finished = 0;
    fc.assert(
      fc.property(world, fc.array(fc.boolean(), { minLength: 16, maxLength: 16 }), ({ wish, there, rules }, done) => {
        const first = planned(wish, there, rules);
        if (first.kind !== 'write' || rules.ownership === 'place') return;
        const half = {
          ...first,
          puts: first.puts.filter((_, index) => done[index]),
          deletes: first.deletes.filter((_, index) => done[index + 8]),
          ledger: intentLedger(first.ledger, there.ledger),
        };
        const stopped = applyModel(there, half, rules.ownership);
        const next = written({ ...wish, inputsMoved: false, write: 'w3' }, stopped, { ...rules, deletesAllowed: true });
        expect(applyModel(stopped, next, rules.ownership).values).toEqual(applyModel(there, first, rules.ownership).values);
        expect(next.ledger.keys).toEqual(first.ledger.keys);
        finished++;
      }),
      { numRuns: 3000 },
    );
    expect(finished).toBeGreaterThan(100);
  });
});

describe('a plan that is not written', () => {
  it('is unchanged only where every desired key is there and owned, and nothing owned is left over', () => {
    let unchanged = 0;
    fc.assert(
      fc.property(world, ({ wish, there, rules }) => {
        if (planned(wish, there, rules).kind !== 'unchanged') return;
        unchanged++;
        for (const entry of wish.entries) {
          expect(there.hidden.has(entry.key) || there.values.get(entry.key) === entry.text).toBe(true);
          expect(owns(there, entry.key)).toBe(true);
          if (there.hidden.has(entry.key)) expect(there.ledger?.keys[entry.key]).toBe(fingerprint(entry.text));
        }
        const wanted = new Set(wish.entries.map((entry) => entry.key));
        if (wish.entries.length === 0 && rules.ownership === 'place') return;
        for (const name of Object.keys(there.ledger?.keys ?? {})) if (!wanted.has(name)) expect(!rules.prune || rules.isProtected(name)).toBe(true);
      }),
      { numRuns: 20_000 },
    );
    expect(unchanged).toBeGreaterThan(50);
  });

  it('is held whenever another owner has keys there, whatever else is true (I11)', () => {
    fc.assert(
      fc.property(desired, values, policy, (wish, there, rules) => {
        const place = placeOf(Object.fromEntries(there), ledgerOf({ z: '1' }, { owner: STRANGER }));
        expect(reasonsOf(planned(wish, place, { ...rules, inherits: () => false }))).toEqual(['owned-by-other']);
      }),
    );
  });
});

describe('a plan is held', () => {
  it('where another rule owns the place, saying which', () => {
    const result = planned(desiredOf({ a: '1' }), placeOf({ a: '1' }, ledgerOf({ a: '1' }, { owner: STRANGER })), policyOf());
    expect(messagesOf(result)).toBe('it belongs to acme/other (production) at commit aaaaaaaaaaaa; let one rule write it, or remove the other rule first');
  });

  it('where keys of strangers are in the way, naming some', () => {
    const keys = Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => [name, '1']));
    const other = Object.fromEntries(Object.keys(keys).map((name) => [name, '2']));
    const result = planned(desiredOf(keys), placeOf(other), policyOf());
    expect(messagesOf(result)).toBe(
      '7 keys with another value, not written by varTrack: a, b, c, d, e and 2 more; remove what is there, make it equal, or set onExisting: overwrite',
    );
    expect(result).toMatchObject({ kind: 'held', holds: [{ reason: 'not-owned', keys: Object.keys(keys) }] });
  });

  it('where a whole place is a stranger’s, also if it is only short of keys', () => {
    const result = planned(desiredOf({ a: '1', b: '2' }), placeOf({ a: '1' }), policyOf({ ownership: 'place' }));
    expect(messagesOf(result)).toBe('it exists, was not written by varTrack and has other content; remove it, make it equal, or set onExisting: overwrite');
    expect(reasonsOf(planned(desiredOf({ a: '1' }), { ...placeOf({}), corrupt: 'is not JSON' }, policyOf({ ownership: 'place' })))).toEqual(['not-owned']);
  });

  it('where Git says nothing any more, also with deletes allowed', () => {
    const result = planned(desiredOf({}), placeOf({ a: '1' }, ledgerOf({ a: '1' })), policyOf({ deletesAllowed: true }));
    expect(messagesOf(result)).toBe(
      'Git says nothing for it any more, and emptying a target is never automatic: it keeps 1 key; remove the destination from the rule, or restore the files',
    );
  });

  it('where too much would be deleted, by count or by share', () => {
    const place = placeOf({ a: '1', b: '1', c: '1', d: '1' }, ledgerOf({ a: '1', b: '1', c: '1', d: '1' }));
    const wish = desiredOf({ a: '1', b: '1' });
    expect(messagesOf(planned(wish, place, policyOf({ maxDeletes: { count: 1 } })))).toBe(
      '2 of 4 keys would be deleted (c, d), above limits.deletes: 1; run "vartrack sync --allow-deletes" if that is meant',
    );
    expect(messagesOf(planned(wish, place, policyOf({ maxDeletes: { percent: 49 } })))).toContain('above limits.deletes: 49%');
    expect(reasonsOf(planned(wish, place, policyOf({ maxDeletes: { percent: 50 } })))).toEqual(['write']);
    expect(reasonsOf(planned(wish, place, policyOf({ maxDeletes: { count: 1 }, deletesAllowed: true })))).toEqual(['write']);
  });

  it('by the share of what is in a whole place, when that is more than the ledger knows', () => {
    const place = placeOf({ a: '1', b: '1', c: '1', theirs: '1' });
    const wish = desiredOf({ a: '1', b: '1', c: '1' });
    const rules = policyOf({ ownership: 'place', onExisting: 'overwrite' });
    expect(reasonsOf(planned(wish, place, { ...rules, maxDeletes: { percent: 25 } }))).toEqual(['write']);
    expect(messagesOf(planned(wish, place, { ...rules, maxDeletes: { percent: 24 } }))).toContain('1 of 4 keys would be deleted (theirs)');
  });

  it('for all reasons at once', () => {
    const place = placeOf({ a: '1', b: '1', s: '9' }, ledgerOf({ a: '1', b: '1' }));
    expect(reasonsOf(planned(desiredOf({ s: '1' }), place, policyOf({ maxDeletes: { count: 1 } })))).toEqual(['not-owned', 'too-many-deletes']);
  });
});

describe('a place of ours that cannot be parsed', () => {
  const policyOfPlace = (fields: Partial<Policy> = {}): Policy => policyOf({ ownership: 'place', ...fields });
  const spoiled = { ...placeOf({}, ledgerOf({ a: '1', b: '1', keep: '1' })), corrupt: 'is not JSON' };

  it('is written anew', () => {
    expect(reasonsOf(planned(desiredOf({ a: '1', b: '1', keep: '1' }, { inputsMoved: false }), spoiled, policyOfPlace()))).toEqual(['write']);
  });

  it('is not emptied', () => {
    expect(messagesOf(planned(desiredOf({}), spoiled, policyOfPlace()))).toContain('emptying a target is never automatic: it keeps what it holds');
    expect(reasonsOf(planned(desiredOf({}), spoiled, policyOfPlace({ prune: false })))).toContain('empty');
  });

  it('counts what the ledger owns in it as deleted', () => {
    expect(reasonsOf(planned(desiredOf({ a: '1' }), spoiled, policyOfPlace({ maxDeletes: { count: 1 } })))).toEqual(['too-many-deletes']);
  });

  it('is held while keys are in it that must stay', () => {
    const result = planned(desiredOf({ a: '1', b: '1' }), spoiled, policyOfPlace({ isProtected: (name) => name === 'keep' }));
    expect(messagesOf(result)).toBe('it is not JSON, and 1 key that must stay cannot be taken over: keep; repair it, or remove it');
  });

  it('is a stranger’s again once its write was undone: nothing desired then writes nothing', () => {
    const fence = restoredLedger(ledgerOf({ a: '1' }), null);
    for (const there of [{ ...placeOf({}, fence), corrupt: 'is not JSON' }, placeOf({ theirs: '1' }, fence), { ...ABSENT, ledger: fence }]) {
      expect(planned(desiredOf({}), there, policyOfPlace())).toEqual({ kind: 'unchanged', generation: 2 });
    }
  });
});

describe('a place of ours that somebody removed', () => {
  it('stays absent while Git says nothing for it, and is made anew when it does', () => {
    const gone = { ...ABSENT, ledger: ledgerOf({ a: '1' }) };
    for (const ownership of ['place', 'keys'] as const) {
      expect(written(desiredOf({ a: '1' }, { inputsMoved: false }), gone, policyOf({ ownership })).puts).toMatchObject([{ entry: { key: 'a' }, before: null }]);
    }
    expect(planned(desiredOf({}), gone, policyOf({ ownership: 'place' }))).toEqual({ kind: 'unchanged', generation: 1 });
    expect(written(desiredOf({}), gone, policyOf()).ledger.keys).toEqual({});
  });
});

describe('the ledger of a plan', () => {
  it('moves on with the inputs although no value changed, and stays where they did not move', () => {
    const place = placeOf({ a: '1' }, ledgerOf({ a: '1' }));
    expect(written(desiredOf({ a: '1' }), place, policyOf())).toMatchObject({ puts: [], deletes: [], ledger: { commit: 'b'.repeat(40), generation: 2 } });
    expect(planned(desiredOf({ a: '1' }, { inputsMoved: false }), place, policyOf())).toEqual({ kind: 'unchanged', generation: 1 });
  });

  it('passes from an owner whose claim lapsed', () => {
    const place = placeOf({ a: '1' }, ledgerOf({ a: '1' }, { owner: STRANGER, commit: 'b'.repeat(40) }));
    expect(written(desiredOf({ a: '1' }, { inputsMoved: false }), place, policyOf({ inherits: () => true })).ledger.owner).toEqual(OWNER);
  });

  it('forgets keys that somebody removed and Git does not want, so that a stranger may make them anew', () => {
    const place = placeOf({ a: '1' }, ledgerOf({ a: '1', gone: '1' }));
    const wish = desiredOf({ a: '1' }, { inputsMoved: false });
    expect(Object.keys(written(wish, place, policyOf({ prune: false })).ledger.keys)).toEqual(['a']);
  });

  it('does not say of an unreadable value that it arrived while only the intent is known', () => {
    const intent = ledgerOf({ a: '1' }, { state: 'intent' });
    const place = { ...placeOf({ a: 'old' }, intent), hidden: new Set(['a']) };
    const wish = desiredOf({ a: '1' }, { inputsMoved: false });
    expect(written(wish, place, policyOf()).puts).toMatchObject([{ entry: { key: 'a' }, before: undefined }]);
    expect(reasonsOf(planned(wish, { ...place, ledger: { ...intent, state: 'committed' } }, policyOf()))).toEqual(['unchanged']);
  });

  it('never takes a value that cannot be read for ours where ours can be (I5)', () => {
    const place = { ...placeOf({ a: 'bytes' }, ledgerOf({ a: '1' })), hidden: new Set(['a']) };
    const wish = desiredOf({ a: '1' }, { inputsMoved: false });
    expect(written(wish, place, policyOf({ readBack: 'readable' })).puts).toMatchObject([{ entry: { key: 'a' }, before: undefined }]);
    for (const readBack of ['fingerprint', 'hidden'] as const) expect(reasonsOf(planned(wish, place, policyOf({ readBack })))).toEqual(['unchanged']);
  });
});

describe('the digest of a desired state', () => {
  it('is equal for equal states in any order, and only for them', () => {
    fc.assert(
      fc.property(values, values, (a, b: ReadonlyMap<string, string>) => {
        const [first, second] = [desiredOf(a).entries, desiredOf(b).entries];
        expect(digestOf(first, fingerprint)).toBe(digestOf(first.toReversed(), fingerprint));
        const same = first.length === second.length && first.every((entry) => b.get(entry.key) === entry.text);
        expect(digestOf(first, fingerprint) === digestOf(second, fingerprint)).toBe(same);
      }),
    );
  });
});

describe('a target that is given up', () => {
  const removal = (keys: Ledger['keys'], entries: ReadonlyMap<string, string>): Plan => {
    const desired = desiredOf(new Map());
    return planRemoval(desired, { exists: true, entries, ledger: ledgerOf({}, { keys }), version: 'v' }, policyOf({ ownership: 'place' }));
  };

  it('takes a place with it that the ledger owns', () => {
    const result = removal({ a: fingerprint('1') }, new Map([['a', '1']]));
    expect(result.kind === 'write' && removesPlace(result)).toBe(true);
  });

  it('leaves a place whose ledger owns nothing, as an undo leaves one to a stranger (I4)', () => {
    const result = removal({}, new Map([['a', 'theirs']]));
    expect(result).toMatchObject({ kind: 'write', content: 'remove', deletes: [] });
    expect(result.kind === 'write' && removesPlace(result)).toBe(false);
  });
});
