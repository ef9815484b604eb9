import { describe, expect, it } from 'vitest';
import { boundRotated, boundStreams, boundTargets } from '../../activities/bound-check.ts';
import type { CheckedTarget, StreamNews } from '../../domain/drift.ts';
import { createFingerprint } from '../../clients/fingerprint.ts';

const fingerprint = createFingerprint('key');

function target(index: number, more: Partial<CheckedTarget> = {}): CheckedTarget {
  const id = `settings/env-${String(index).padStart(5, '0')}/0`;
  const names = { id, rule: 'settings', environment: `env-${index}`, sink: 'cache', kind: 'redis', place: `app:env-${index}` };
  return { ...names, repository: 'config', stream: 'main', event: { kind: 'branch', name: 'main' }, mode: 'heal', status: 'InSync', ...more };
}

const group = (targets: readonly CheckedTarget[], knownDigest = '') => ({ intervalMs: 60_000, knownDigest, targets });

describe('the answer of a check', () => {
  it('leaves out a group that is as it was, and is not fooled by a change of one thing', () => {
    const all = [target(1), target(2)];
    const digest = boundTargets([], [group(all)], fingerprint).groups[0]?.digest ?? '';
    expect(boundTargets([], [group(all.toReversed(), digest)], fingerprint).groups).toEqual([{ intervalMs: 60_000, targets: null, more: 0, digest }]);
    for (const change of [{ status: 'Unknown' }, { commit: 'c' }, { mode: 'warn' }, { message: 'm' }, { digest: 'd' }] as const) {
      expect(boundTargets([], [group([target(1), target(2, change)], digest)], fingerprint).groups[0]?.targets).toHaveLength(2);
    }
  });

  it('keeps a thousand targets, the worst of all groups, and says how many it left out', () => {
    const many = Array.from({ length: 1_500 }, (_, index) => target(index));
    const bad = [target(9_000, { status: 'Drifted' }), target(9_001, { status: 'Unknown' })];
    const { groups } = boundTargets([], [group(many), { ...group([...many.slice(0, 10), ...bad]), intervalMs: 5_000 }], fingerprint);
    expect(groups.reduce((sum, { targets }) => sum + (targets?.length ?? 0), 0)).toBeLessThanOrEqual(1_000);
    expect(groups[1]?.targets?.slice(0, 2).map(({ status }) => status)).toEqual(['Drifted', 'Unknown']);
    for (const each of groups) expect((each.targets?.length ?? 0) + each.more).toBe(each.intervalMs === 5_000 ? 12 : 1_500);
  });

  it('stays far below what Temporal takes, whatever drifted', () => {
    const keys = Array.from(
      { length: 20 },
      (_, index) => ({ key: `${'ü'.repeat(190)}${index}`, drift: 'changed', expected: 'x'.repeat(22), live: '?' }) as const,
    );
    const all = Array.from({ length: 2_000 }, (_, index) => target(index, { status: 'Drifted', keys, message: 'm'.repeat(300) }));
    const named = all.slice(0, 3);
    const answer = boundTargets(named, [group(all)], fingerprint);
    expect(Buffer.byteLength(JSON.stringify(answer))).toBeLessThan(350_000);
    expect(answer.targets).toEqual(named);
    expect(answer.groups[0]?.targets?.length).toBeGreaterThan(10);
  });

  it('tells the streams first that something can be done for', () => {
    const news = (index: number, state: StreamNews['state']): StreamNews => ({
      repository: 'config',
      stream: `s${index}`,
      event: { kind: 'branch', name: `s${index}` },
      head: 'h',
      state,
    });
    const all = [...Array.from({ length: 300 }, (_, index) => news(index, 'waiting')), news(900, 'failed'), news(901, 'moved')];
    const { streams, more } = boundStreams(all);
    expect(streams.slice(0, 2).map(({ state }) => state)).toEqual(['moved', 'failed']);
    expect(streams.length + more).toBe(302);
    expect(streams).toHaveLength(200);
  });

  it('leaves a secret unknown whose targets it has no room for', () => {
    const targets = Array.from({ length: 200 }, (_, index) => target(index));
    const all = ['vault:a', 'vault:b', 'vault:c', 'vault:d'].map((secret) => ({ secret, version: 2, targets }));
    const { rotated, versions } = boundRotated(all, { 'vault:a': 2, 'vault:b': 2, 'vault:c': 2, 'vault:d': 2, 'vault:e': 7 });
    expect(rotated.length).toBeLessThan(4);
    expect(Object.keys(versions)).toEqual([...rotated.map(({ secret }) => secret), 'vault:e']);
  });
});
