import { describe, expect, it } from 'vitest';
import type { LedgerView } from '../../domain/compare-with-ledger.ts';
import { decideWake, NOTHING_SEEN, type WakeMemory } from '../../domain/decide-wake.ts';

const agrees: LedgerView = { kind: 'agrees' };
const writing: LedgerView = { kind: 'writing' };
const gone: LedgerView = { kind: 'no-ledger' };
const drift = (digest: string, generation = 7): LedgerView => ({ kind: 'differs', digest, generation });

describe('the tenant hears of a target', () => {
  it('at once when it drifts, and again when it drifts the same way after it was healed', () => {
    expect(play([0, agrees], [1, drift('a')], [2, agrees], [3, drift('a')])).toEqual(['no', 'now', 'no', 'now']);
  });

  it('not while a write is under way, nor when it was one of ours', () => {
    expect(play([0, writing], [10, agrees])).toEqual(['no', 'no']);
  });

  it('when a ledger that was there is gone, and not where there never was one', () => {
    expect(play([0, gone], [5_000, gone])).toEqual(['no', 'no']);
    expect(play([0, agrees], [1, gone])).toEqual(['no', 'now']);
    expect(play([0, writing], [1, gone])).toEqual(['no', 'now']);
  });

  it('seldom of a drift that it knows and does not heal: after one second, two, four, and at last every minute', () => {
    const looks = Array.from({ length: 2_000 }, (_, index) => [index * 100, drift('a')] as const);
    const times = play(...looks).flatMap((wake, index) => (wake === 'now' ? [index * 100] : []));
    expect(times.slice(0, 8)).toEqual([0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000, 123_000]);
  });

  it('of a drift that becomes another at most once a second, and of the last one for sure', () => {
    expect(play([0, drift('a')], [300, drift('b')], [600, drift('c')], [1_000, drift('c')])).toEqual(['now', 'at 1000', 'at 1000', 'now']);
  });

  it('at once of a drift that came while a heal was at work, whose ledger is a new one', () => {
    expect(play([0, drift('7:a')], [400, writing], [500, drift('8:a', 8)], [600, drift('8:b', 8)])).toEqual(['now', 'no', 'now', 'at 1500']);
  });
});

function play(...views: readonly (readonly [at: number, view: LedgerView])[]): string[] {
  let memory: WakeMemory = NOTHING_SEEN;
  return views.map(([at, view]) => {
    const decided = decideWake(memory, view, at);
    memory = decided.memory;
    return decided.wake.kind === 'look-again' ? `at ${decided.wake.at}` : decided.wake.kind;
  });
}
