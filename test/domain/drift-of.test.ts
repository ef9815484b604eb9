import { describe, expect, it } from 'vitest';
import { driftOf, MOST_DRIFTED_KEYS } from '../../domain/drift-of.ts';
import type { Ledger } from '../../domain/ledger.ts';
import { plan, type Desired, type LiveState, type RenderedEntry } from '../../domain/plan.ts';
import { policyOf } from './policy-of.ts';

const fingerprint = (text: string): string => `<${text}>`;
const owner = { tenant: 'acme', rule: 'settings', environment: 'production' };
const entry = (key: string, text: string): RenderedEntry => ({ path: [key], value: text, key, text });

function ledgerOf(keys: Readonly<Record<string, string>>): Ledger {
  return { version: 1, owner, stream: 'config/main', commit: 'c'.repeat(40), generation: 1, write: 'w', state: 'committed', keys, at: '' };
}

function driftWith(entries: readonly RenderedEntry[], found: Readonly<Record<string, string | null>>, owned: readonly string[], deletes: number | null = null) {
  const ledger = ledgerOf(Object.fromEntries(owned.map((key) => [key, fingerprint(key)])));
  const live: LiveState = { exists: true, entries: new Map(Object.entries(found)), ledger, version: '' };
  const desired: Desired = { entries, owner, stream: 'config/main', commit: ledger.commit, inputsMoved: false, write: 'check', at: '' };
  const policy = policyOf({ ownership: 'place', maxDeletes: deletes === null ? null : { count: deletes } });
  const planned = plan(desired, live, policy, fingerprint);
  if (planned.kind === 'unchanged') throw new Error('nothing drifted');
  return driftOf(planned, entries, live, fingerprint);
}

describe('the drift of a place', () => {
  it('tells every key that differs, by name, with what it should be and what it is', () => {
    const { keys, moreKeys } = driftWith([entry('a', '1'), entry('b', '2'), entry('c', '3'), entry('d', '4')], { a: 'x', c: '3', d: null, z: 'new' }, [
      'a',
      'b',
      'c',
      'd',
    ]);
    expect(keys).toEqual([
      { key: 'a', drift: 'changed', expected: '<1>', live: '<x>' },
      { key: 'b', drift: 'missing', expected: '<2>', live: null },
      { key: 'd', drift: 'changed', expected: '<4>', live: '?' },
      { key: 'z', drift: 'extra', expected: null, live: '<new>' },
    ]);
    expect(moreKeys).toBe(0);
  });

  it('tells what a person has to decide on', () => {
    expect(driftWith([entry('a', '1')], { a: '1', y: '2', z: null }, ['a'], 1).keys).toEqual([
      { key: 'y', drift: 'extra', expected: null, live: '<2>' },
      { key: 'z', drift: 'extra', expected: null, live: '?' },
    ]);
  });

  it('has the same digest as long as nobody changes it again, and another one then', () => {
    const entries = [entry('a', '1'), entry('b', '2')];
    const first = driftWith(entries, { a: 'x', b: '2' }, ['a', 'b']);
    expect(driftWith(entries, { b: '2', a: 'x' }, ['b', 'a']).digest).toBe(first.digest);
    expect(driftWith(entries, { a: 'y', b: '2' }, ['a', 'b']).digest).not.toBe(first.digest);
    expect(driftWith(entries, { a: 'x' }, ['a', 'b']).digest).not.toBe(first.digest);
  });

  it('tells in its digest also the keys that only the ledger lost', () => {
    const entries = [entry('a', '1'), entry('b', '2')];
    const one = driftWith(entries, { a: '1', b: '2' }, ['a']);
    expect(one.keys).toEqual([]);
    expect(driftWith(entries, { a: '1', b: '2' }, ['b']).digest).not.toBe(one.digest);
  });

  it('stays small, and its digest is of all keys', () => {
    const entries = Array.from({ length: 50 }, (_, index) => entry(`${'k'.repeat(300)}${index}`, '1'));
    const owned = entries.map(({ key }) => key);
    const drift = driftWith(entries, {}, owned);
    expect(drift.keys).toHaveLength(MOST_DRIFTED_KEYS);
    expect(drift.moreKeys).toBe(50 - MOST_DRIFTED_KEYS);
    expect(Math.max(...drift.keys.map(({ key }) => key.length))).toBe(200);
    const last = owned.toSorted().at(-1) ?? '';
    expect(driftWith(entries, { [last]: 'x' }, owned).digest).not.toBe(drift.digest);
  });
});
