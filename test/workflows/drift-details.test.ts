import { expect, it } from 'vitest';
import type { WatchedTarget } from '../../domain/drift.ts';
import { describeWatch } from '../../workflows/drift-details.ts';
import type { DriftWatchState } from '../../workflows/messages.ts';
import { checkedTarget } from './drift-lab.ts';

function stateOf(more: Partial<DriftWatchState> = {}): DriftWatchState {
  return {
    tenant: 'acme',
    pause: null,
    freeze: null,
    status: 'InSync',
    targets: [],
    moreTargets: 0,
    streams: [],
    checkedAt: '2026-03-01T00:00:00.000Z',
    nextCheckAt: null,
    problem: null,
    pollProblems: [],
    ...more,
  };
}

it('tells of each target its status, place, commit, keys and since when, and how to heal and to pause', () => {
  const page = describeWatch(stateOf({ status: 'Drifted', targets: [{ ...checkedTarget('a/b/0', 'Drifted'), since: '2026-03-01T00:00:00.000Z' }] }), []);
  expect(page).toContain('**acme**: **Drifted**; targets: 1 Drifted; checked 2026-03-01T00:00:00.000Z');
  expect(page).toContain(
    '- **Drifted** production: cache (redis) `place of a/b/0`, `a/b/0`: commit `aaaaaaaaaaaa`; since 2026-03-01T00:00:00.000Z; changed `redis.port`',
  );
  expect(page).toContain('`vartrack pause acme --reason …`');
  expect(page).toContain('`vartrack heal acme`');
});

it('tells of a pause, a freeze, streams that are behind, and what went wrong', () => {
  const stream = { repository: 'config', stream: 'main', event: { kind: 'branch', name: 'main' }, head: 'b'.repeat(40), attempts: 2 } as const;
  const page = describeWatch(
    stateOf({
      pause: { by: 'ann', reason: 'maintenance', since: '2026-03-01T00:00:00.000Z' },
      freeze: { reason: 'the weekend', until: '2026-03-02T00:00:00.000Z' },
      streams: [{ ...stream, state: 'failed', message: 'RolledBack', nextAttemptAt: '2026-03-01T00:01:00.000Z' }],
      problem: 'no answer',
      pollProblems: ['config: refused'],
    }),
    ['pause: needs more'],
  );
  expect(page).toContain('**Paused** since 2026-03-01T00:00:00.000Z by ann: maintenance');
  expect(page).toContain('`vartrack resume acme` goes on.');
  expect(page).toContain('**Frozen** until 2026-03-02T00:00:00.000Z: the weekend');
  expect(page).toContain('- **failed** `config/main` is not at its head `bbbbbbbbbbbb`: RolledBack (attempts: 2, next at 2026-03-01T00:01:00.000Z)');
  for (const words of ['no answer', 'could not be polled: config: refused', 'ignored a signal: pause: needs more']) expect(page).toContain(words);
});

it('tells what keeps a target from being healed: a rule that only warns, a freeze of the rule, what waits for a person', () => {
  const targets: WatchedTarget[] = [
    { ...checkedTarget('a/b/0', 'Drifted'), mode: 'warn', freeze: { reason: 'audit', until: '2026-03-02T00:00:00.000Z' } },
    { ...checkedTarget('a/b/1', 'InSync'), mode: 'warn' },
  ];
  const stream = { repository: 'config', stream: 'main', event: { kind: 'branch', name: 'main' }, head: 'b'.repeat(40), attempts: 0 } as const;
  const page = describeWatch(stateOf({ targets, streams: [{ ...stream, state: 'waiting', message: 'the last run ended Rejected' }] }), []);
  expect(page).toContain('targets: 1 Drifted, 1 InSync; checked');
  expect(page).toContain('; only told (drift: warn); frozen until 2026-03-02T00:00:00.000Z: audit');
  expect(page.match(/only told/g)).toHaveLength(1);
  expect(page).toContain('the last run ended Rejected (waits for a new commit or a person)');
});

it('stays small whatever there is, with the commands at its end, and one line for each target', () => {
  const targets = Array.from({ length: 1_000 }, (_, index): WatchedTarget => ({
    ...checkedTarget(`rule/${'ü'.repeat(200)}/${index}`, 'Drifted'),
    message: 'a line\nand another '.repeat(100),
  }));
  const page = describeWatch(stateOf({ targets, moreTargets: 7 }), []);
  expect(new TextEncoder().encode(page).length).toBeLessThan(20_000);
  expect(page.split('\n').at(-1)).toContain('vartrack heal acme');
  const listed = page.split('\n').filter((line) => line.startsWith('- ')).length;
  expect(page).toContain(`and ${1_007 - listed} more targets, none worse than these`);
  const some = describeWatch(stateOf({ targets: targets.slice(0, 2) }), []);
  expect(some.split('\n').filter((line) => line.startsWith('- '))).toHaveLength(2);
});
