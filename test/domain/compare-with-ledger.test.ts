import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareWithLedger, type LedgerTerms } from '../../domain/compare-with-ledger.ts';
import type { Ledger } from '../../domain/ledger.ts';
import { plan, type LiveState } from '../../domain/plan.ts';
import { policyOf } from './policy-of.ts';

const fingerprint = (text: string): string => `f(${text})`;
const OWNER = { tenant: 'acme', rule: 'settings', environment: 'production' };

describe('a place and its ledger', () => {
  it('agree when every owned key has the text that was written, whatever strangers have beside it', () => {
    expect(compare({ a: '1', b: '2', other: 'x' }, { a: '1', b: '2' })).toBe('agrees');
  });

  it.each([
    ['a changed value', { a: '1', b: '3' }],
    ['a missing key', { a: '1' }],
    ['a value that cannot be read where ours could', { a: '1', b: null }],
    ['nothing at all', {}],
  ])('differ by %s', (_, live) => {
    expect(compare(live, { a: '1', b: '2' })).toBe('differs');
  });

  it.each(['hidden', 'fingerprint'] as const)('agree over a value of a sink that reads back %s, and differ when it is gone', (readBack) => {
    expect(compare({ a: null }, { a: '1' }, { readBack })).toBe('agrees');
    expect(compare({}, { a: '1' }, { readBack })).toBe('differs');
  });

  it('differ by a key more in a place that is owned as a whole, unless such keys stay there', () => {
    const live = { a: '1', extra: 'x' };
    expect(compare(live, { a: '1' }, { ownership: 'place' })).toBe('differs');
    expect(compare(live, { a: '1' }, { ownership: 'place', prune: false })).toBe('agrees');
    expect(compare(live, { a: '1' }, { ownership: 'place', isProtected: (key) => key === 'extra' })).toBe('agrees');
    // A ledger that only fences owns nothing.
    expect(compare(live, {}, { ownership: 'place' })).toBe('agrees');
  });

  it('differ where the place cannot be parsed, also in what is ignored otherwise', () => {
    const live = { ...liveOf({}, { a: '1' }), corrupt: 'is not JSON' };
    expect(compareWithLedger(live, { ...terms, ownership: 'place', isIgnored: () => true }, fingerprint).kind).toBe('differs');
  });

  it('agree whatever happens to an ignored key', () => {
    const isIgnored = (key: string): boolean => key.startsWith('runtime');
    expect(compare({ a: '1', 'runtime.x': '9', 'runtime.extra': '1' }, { a: '1', 'runtime.x': '1', 'runtime.y': '2' }, { ownership: 'place', isIgnored })).toBe(
      'agrees',
    );
    expect(compare({ a: '2', 'runtime.x': '9' }, { a: '1', 'runtime.x': '1' }, { isIgnored })).toBe('differs');
  });

  it('say nothing while a write is under way, or where there is no ledger', () => {
    expect(compareWithLedger(liveOf({ a: '2' }, { a: '1' }, { state: 'intent' }), terms, fingerprint).kind).toBe('writing');
    expect(compareWithLedger({ ...liveOf({ a: '2' }, {}), ledger: null }, terms, fingerprint).kind).toBe('no-ledger');
  });

  it('differ in one text for one state, whatever the order of its keys, and in another for every other state or ledger', () => {
    const digests = [
      digestOf({ a: '2', b: '2' }, { a: '1', b: '1' }),
      digestOf({ b: '2', a: '2' }, { b: '1', a: '1' }),
      digestOf({ a: '2', b: '3' }, { a: '1', b: '1' }),
      digestOf({ a: '2' }, { a: '1', b: '1' }),
      digestOf({ a: '2', b: '2' }, { a: '1', b: '1' }, { generation: 8 }),
    ];
    expect(digests[0]).toBe(digests[1]);
    expect(new Set(digests).size).toBe(4);
  });

  it('never agree where the plan for what was written has something to do', () => {
    const state = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2'), { noNullPrototype: true });
    fc.assert(
      fc.property(state, state, fc.constantFrom('keys', 'place'), fc.boolean(), (written, found, ownership, prune) => {
        const live = liveOf(found, written);
        const entries = Object.entries(written).map(([key, text]) => ({ key, text, path: [key], value: text }));
        const desired = { entries, owner: OWNER, stream: 's', commit: 'c', inputsMoved: false, write: 'w', at: '' };
        const planned = plan(desired, live, policyOf({ ownership, prune }), fingerprint);
        const view = compareWithLedger(live, { ...terms, ownership, prune }, fingerprint);
        // A place that owned nothing is no place of ours.
        if (planned.kind === 'write') expect(view.kind).toBe('differs');
        if (view.kind === 'differs') expect(planned.kind).not.toBe('unchanged');
      }),
    );
  });
});

const terms: LedgerTerms = { ownership: 'keys', readBack: 'readable', prune: true, isProtected: () => false, isIgnored: () => false };

type Texts = Readonly<Record<string, string | null>>;

function compare(live: Texts, written: Texts, more: Partial<LedgerTerms> = {}): string {
  return compareWithLedger(liveOf(live, written), { ...terms, ...more }, fingerprint).kind;
}

function digestOf(live: Texts, written: Texts, ledger: Partial<Ledger> = {}): string {
  const view = compareWithLedger(liveOf(live, written, ledger), terms, fingerprint);
  return view.kind === 'differs' ? view.digest : view.kind;
}

function liveOf(live: Texts, written: Texts, more: Partial<Ledger> = {}): LiveState {
  const keys = Object.fromEntries(Object.entries(written).map(([key, text]) => [key, fingerprint(text ?? '')]));
  const ledger: Ledger = { version: 1, owner: OWNER, stream: 's', commit: 'c', generation: 7, write: 'w', state: 'committed', keys, at: '', ...more };
  return { exists: Object.keys(live).length > 0, entries: new Map(Object.entries(live)), ledger, version: '7' };
}
