import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideRestore, decodeLedger, encodeLedger, formatOwner, intentLedger, restoredLedger, sameOwner, undoOf } from '../../domain/ledger.ts';
import { ledgerOf, OWNER, STRANGER } from './plan-model.ts';

describe('a ledger as text', () => {
  it('is read back as it was, also with keys that objects treat in their own way', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString')), fc.string())),
        fc.nat(),
        (keys, generation) => {
          const ledger = ledgerOf({}, { keys: Object.fromEntries(keys), generation });
          expect(decodeLedger(encodeLedger(ledger))).toEqual(ledger);
          expect(Object.keys(decodeLedger(encodeLedger(ledger)).keys)).toEqual(Object.keys(ledger.keys));
        },
      ),
    );
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '{'],
    ['null', 'null'],
    ['a list', '[]'],
    ['another version', JSON.stringify({ ...ledgerOf({}), version: 2 })],
    ['no owner', JSON.stringify({ ...ledgerOf({}), owner: undefined })],
    ['half an owner', JSON.stringify({ ...ledgerOf({}), owner: { tenant: 'a', rule: 'b' } })],
    ['a generation that is no integer', JSON.stringify({ ...ledgerOf({}), generation: 1.5 })],
    ['an unknown state', JSON.stringify({ ...ledgerOf({}), state: 'done' })],
    ['keys that are a list', JSON.stringify({ ...ledgerOf({}), keys: ['a'] })],
    ['a fingerprint that is no text', JSON.stringify({ ...ledgerOf({}), keys: { a: 1 } })],
  ])('is never taken for an absent one when it is %s (I3)', (_, text) => {
    expect(() => decodeLedger(text)).toThrow(TypeError);
  });
});

describe('an intent', () => {
  it('owns what either outcome would own, at the new fingerprints', () => {
    const before = ledgerOf({ a: '1', b: '1' });
    const next = ledgerOf({ b: '2', c: '2' }, { generation: 2 });
    expect(intentLedger(next, before)).toEqual({ ...next, state: 'intent', keys: { a: 'fp(1)', b: 'fp(2)', c: 'fp(2)' } });
    expect(intentLedger(next, null)).toEqual({ ...next, state: 'intent' });
  });
});

describe('a restore', () => {
  const before = ledgerOf({ a: '1' }, { generation: 4, write: 'w4' });
  const current = ledgerOf({ a: '2', b: '2' }, { generation: 5, write: 'w5' });

  it('puts the ledger of before back, one generation on and marked', () => {
    expect(restoredLedger(current, before)).toEqual({ ...before, generation: 6, write: undoOf('w5') });
  });

  it('leaves an empty ledger where there was none, also after an intent', () => {
    expect(restoredLedger({ ...current, state: 'intent' }, null)).toEqual({ ...current, state: 'committed', keys: {}, generation: 6, write: undoOf('w5') });
  });

  it('is done once, however often it is asked for', () => {
    expect(decideRestore(current, 5)).toBe('restore');
    expect(decideRestore(restoredLedger(current, before), 5)).toBe('nothing-to-undo');
    expect(decideRestore(restoredLedger(current, null), 5)).toBe('nothing-to-undo');
  });

  it('has nothing to do where the write never arrived', () => {
    expect(decideRestore(null, 5)).toBe('nothing-to-undo');
    expect(decideRestore(before, 5)).toBe('nothing-to-undo');
  });

  it('is a conflict where something newer was written, also over an undo', () => {
    expect(decideRestore({ ...current, generation: 6 }, 5)).toBe('conflict');
    expect(decideRestore({ ...restoredLedger(current, before), generation: 7 }, 5)).toBe('conflict');
    expect(decideRestore(restoredLedger(current, before), 6)).toBe('conflict');
  });
});

describe('an owner', () => {
  it('is a rule of a tenant for an environment', () => {
    expect(sameOwner(OWNER, { ...OWNER })).toBe(true);
    for (const other of [STRANGER, { ...OWNER, tenant: 'x' }, { ...OWNER, environment: 'x' }]) expect(sameOwner(OWNER, other)).toBe(false);
    expect(formatOwner(OWNER)).toBe('acme/settings (production)');
  });
});
