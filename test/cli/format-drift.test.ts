import { describe, expect, it } from 'vitest';
import { driftChanges } from '../../cli/drift-changes.ts';
import { driftStatusOf, formatDriftStatus } from '../../cli/drift-status.ts';
import { formatDrift, summarizeDrift } from '../../cli/format-drift.ts';
import { watchedTarget, watchState } from '../domain/watched.ts';

const DRIFTED = watchedTarget({
  id: 'settings/production/1',
  place: 'acme:\u001b[2J',
  status: 'Drifted',
  since: '2026-11-24T05:59:00.000Z',
  keys: [
    { key: 'size', drift: 'changed', expected: 'fp-a', live: 'fp-b' },
    { key: 'name\n', drift: 'missing', expected: 'fp-c', live: null },
    { key: 'old', drift: 'extra', expected: null, live: '?' },
  ],
  moreKeys: 4,
  digest: 'd1',
  nextHealAt: '2026-11-24T06:00:06.000Z',
});
const STREAM = {
  repository: 'config',
  stream: 'main',
  event: { kind: 'branch', name: 'main' },
  head: '9d0c11e2a4f79d0c11e2a4f79d0c11e2a4f79d0c',
  state: 'failed',
  message: 'RolledBack: sink cache does not answer',
  attempts: 2,
  nextAttemptAt: '2026-11-24T06:02:00.000Z',
} as const;

describe('what drift looks like on a terminal', () => {
  it('is a summary, and each target that is not in order with its keys', () => {
    const text = formatDrift(watchState({ targets: [DRIFTED, watchedTarget()], streams: [STREAM] }), { all: false });
    expect(text.split('\n')).toEqual([
      'acme: 2 targets: 1 Drifted, 1 InSync; checked 2026-11-24T06:00:00.000Z, next check 2026-11-24T06:01:00.000Z',
      '  config/main at 9d0c11e2a4f7 is not applied, tried 2 times, again 2026-11-24T06:02:00.000Z: RolledBack: sink cache does not answer',
      '',
      'settings/production/1 → cache (redis) acme:\\u001b[2J: Drifted since 2026-11-24T05:59:00.000Z, written at 3f2a91c07b5d',
      '  next heal 2026-11-24T06:00:06.000Z',
      '  ~ size: fp-b is there, not fp-a',
      '  - name\\n: missing, should be fp-c',
      '  + old: ? is there, should be gone',
      '  and 4 more keys',
    ]);
  });

  it('has the targets in order too where all are asked for, and says what was left out', () => {
    const state = watchState({ targets: [watchedTarget()], moreTargets: 1_200 });
    expect(formatDrift(state, { all: false })).not.toContain('settings/production/0');
    const text = formatDrift(state, { all: true });
    expect(text).toContain('1201 targets: 1 InSync, 1200 not listed;');
    expect(text).toContain('settings/production/0 → cache (redis) acme:production: InSync, written at 3f2a91c07b5d');
    expect(text).toMatch(/and 1200 more targets$/);
  });

  it('says what holds a heal back: a pause, a freeze, a rule that only tells', () => {
    const pause = { by: 'ann', reason: 'maintenance', since: '2026-11-24T05:00:00.000Z' };
    const freeze = { reason: 'weekend', until: '2026-11-30T06:00:00.000Z' };
    const text = formatDrift(watchState({ pause, freeze, targets: [{ ...DRIFTED, mode: 'warn' }] }), { all: false });
    expect(text).toContain('  paused since 2026-11-24T05:00:00.000Z by ann: maintenance\n  frozen until 2026-11-30T06:00:00.000Z: weekend\n');
    expect(text).toContain('written at 3f2a91c07b5d, only told (drift: warn)');
  });

  it('tells a target that somebody fights over with the times of its heals', () => {
    const heals = ['2026-11-24T05:58:00.000Z', '2026-11-24T05:58:06.000Z'];
    expect(formatDrift(watchState({ targets: [{ ...DRIFTED, status: 'Contested', heals }] }), { all: false })).toContain(
      `  healed of late: ${heals.join(', ')}\n`,
    );
  });

  it('says why less is known than should be', () => {
    const state = watchState({ problem: 'tenant acme: no answer\n', pollProblems: ['config: connection refused'] });
    expect(formatDrift(state, { all: false }).split('\n').slice(1)).toEqual([
      '  the last check found nothing out: tenant acme: no answer\\n',
      '  could not be asked: config: connection refused',
    ]);
    expect(formatDriftStatus(state).slice(1)).toEqual([
      'the last check found nothing out: tenant acme: no answer\\n',
      'could not be asked: config: connection refused',
    ]);
    expect(driftStatusOf(state)).toMatchObject({ problem: 'tenant acme: no answer\n', pollProblems: ['config: connection refused'] });
  });

  it('never says that all is well before the first check', () => {
    expect(summarizeDrift(watchState({ checkedAt: null }))).toBe('not checked yet');
    expect(summarizeDrift(watchState())).toContain('no targets yet');
  });
});

describe('drift in vartrack status', () => {
  it('counts targets, and tells streams that are not applied and why', () => {
    const watch = watchState({ status: 'Drifted', targets: [DRIFTED, watchedTarget()], streams: [STREAM] });
    expect(driftStatusOf(watch)).toMatchObject({ status: 'Drifted', counts: { Drifted: 1, InSync: 1 }, notApplied: [{ state: 'failed' }] });
    expect(formatDriftStatus(watch)).toEqual([
      expect.stringMatching(/^drift: 2 targets: 1 Drifted, 1 InSync/),
      expect.stringMatching(/^config\/main at 9d0c11e2a4f7 is not applied/),
    ]);
  });

  it('says that no worker answers', () => {
    expect(formatDriftStatus({ tenant: 'acme', silent: 'no-worker' })).toEqual([expect.stringContaining('no worker answers for drift/acme')]);
    expect(driftStatusOf({ tenant: 'acme', silent: 'not-started' })).toEqual({ error: expect.stringContaining('does not run') });
  });
});

describe('a line for each change', () => {
  it('begins with what is not in order', () => {
    expect(driftChanges(undefined, watchState({ targets: [DRIFTED, watchedTarget()] }))).toEqual([
      'settings/production/1 (redis acme:\\u001b[2J): Drifted, size changed, name\\n missing, old extra and 4 more',
    ]);
  });

  it('tells the way of a target, other keys that drift, and nothing twice', () => {
    const [healthy, drifted] = [watchState({ targets: [{ ...DRIFTED, status: 'InSync', keys: [], digest: '' }] }), watchState({ targets: [DRIFTED] })];
    expect(driftChanges(healthy, drifted)).toEqual([expect.stringContaining('InSync → Drifted, size changed')]);
    expect(driftChanges(drifted, drifted)).toEqual([]);
    expect(driftChanges(drifted, watchState({ targets: [{ ...DRIFTED, digest: 'd2', keys: [], moreKeys: 0 }] }))).toEqual([
      expect.stringMatching(/: Drifted$/),
    ]);
    expect(driftChanges(drifted, healthy)).toEqual([expect.stringMatching(/: Drifted → InSync$/)]);
  });

  it('tells pauses, freezes and streams that come and go', () => {
    const pause = { by: 'ann', reason: 'maintenance', since: '2026-11-24T05:00:00.000Z' };
    const held = watchState({ pause, freeze: { reason: 'weekend', until: '2026-11-30T06:00:00.000Z' }, streams: [STREAM] });
    expect(driftChanges(watchState(), held)).toEqual([
      'paused since 2026-11-24T05:00:00.000Z by ann: maintenance',
      'frozen until 2026-11-30T06:00:00.000Z: weekend',
      expect.stringContaining('config/main at 9d0c11e2a4f7 is not applied'),
    ]);
    expect(driftChanges(held, held)).toEqual([]);
    expect(driftChanges(held, watchState())).toEqual(['not paused any more', 'not frozen any more', 'config/main is at its head']);
  });

  it('tells why checks fail, once, and that they do not any more', () => {
    const failing = watchState({ problem: 'no answer', pollProblems: ['config: refused'] });
    expect(driftChanges(watchState(), failing)).toEqual(['the last check found nothing out: no answer', 'could not be asked: config: refused']);
    expect(driftChanges(failing, failing)).toEqual([]);
    expect(driftChanges(failing, watchState())).toEqual(['checks find out again', 'all repositories and secret managers answer again']);
  });

  it('tells a silence once, and all that is not in order again after it', () => {
    const silent = { tenant: 'acme', silent: 'no-worker' } as const;
    expect(driftChanges(watchState(), silent)).toEqual([expect.stringContaining('no worker answers')]);
    expect(driftChanges(silent, silent)).toEqual([]);
    expect(driftChanges(silent, watchState({ targets: [DRIFTED] }))).toEqual([expect.stringContaining(': Drifted')]);
  });
});
