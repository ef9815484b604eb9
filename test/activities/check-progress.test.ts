import { expect, it } from 'vitest';
import type { CheckedTarget } from '../../domain/drift.ts';
import { createCheckProgress, type CheckProgress } from '../../activities/check-progress.ts';
import type { Checked, TargetToCheck } from '../../activities/check-target.ts';
import type { StreamRuns } from '../../activities/stream-runs.ts';

const RUNS: StreamRuns = { runId: 'r', isRunning: false, last: { trigger: 'push', status: 'Synced', commit: 'c', isCancelled: false, closedAt: 500 } };

function asked(id: string, runs: StreamRuns | null = RUNS): TargetToCheck {
  const stream = { stream: 'main', event: { kind: 'branch', name: 'main' }, head: 'h', runs } as const;
  const target = { id, rule: 'r', environment: 'e', sink: 's', kind: 'redis', place: { name: `place of ${id}` }, policy: { drift: { mode: 'heal' } } };
  return { target, repository: 'config', streams: [stream] } as unknown as TargetToCheck;
}

function found(status: CheckedTarget['status'], more: Partial<CheckedTarget> = {}): Checked {
  return { target: { status, stream: 'main', commit: 'c', ...more } as CheckedTarget, secrets: [{ manager: 'vault', path: 'p', field: 'f' }] };
}

/** A check whose worker died, with what its heartbeats carried. */
function died(fill: (progress: CheckProgress) => void, { of = 'this', at = 1_000, earlier }: { of?: string; at?: number; earlier?: unknown } = {}): unknown {
  let details = (): unknown => undefined;
  fill(
    createCheckProgress(
      { earlier, carry: (carried) => void (details = carried) },
      () => of,
      () => at,
    ),
  );
  return JSON.parse(JSON.stringify(details()));
}

function next(earlier: unknown, { of = 'this', at = 2_000 } = {}): CheckProgress {
  return createCheckProgress(
    { earlier, carry: () => undefined },
    () => of,
    () => at,
  );
}

const WELL = died((progress) => progress.add(asked('a'), found('InSync')));

it('goes on with what was well, as it was told', () => {
  expect(next(WELL).known(asked('a'))).toMatchObject({
    target: { id: 'a', place: 'place of a', repository: 'config', stream: 'main', mode: 'heal', commit: 'c', status: 'InSync' },
    secrets: [{ manager: 'vault', path: 'p', field: 'f' }],
  });
});

it.each(['Drifted', 'Unknown', 'Pending', 'Syncing'] as const)('looks again at what was %s', (status) => {
  const earlier = died((progress) => progress.add(asked('a'), found(status)));
  expect(next(earlier).known(asked('a'))).toBeNull();
});

it.each([
  ['of another check', { of: 'that' }, RUNS],
  ['two minutes ago', { at: 121_000 }, RUNS],
  ['before a run wrote', {}, { ...RUNS, last: RUNS.last && { ...RUNS.last, closedAt: 1_000 } }],
  ['before a run that works', {}, { runId: 'r', isRunning: true, last: null }],
] as const)('does not believe what was found %s', (_, options, runs) => {
  expect(next(WELL, options).known(asked('a', runs))).toBeNull();
});

it('carries on what it was handed, with the time of its look, until that is too old', () => {
  const twice = died((progress) => progress.add(asked('b'), progress.known(asked('a')) ?? found('InSync')), { earlier: WELL, at: 100_000 });
  expect(next(twice, { at: 120_000 }).known(asked('a'))).not.toBeNull();
  expect(next(twice, { at: 125_000 }).known(asked('a'))).toBeNull();
  expect(next(twice, { at: 125_000 }).known(asked('b'))).not.toBeNull();
});

it('begins anew with what another build carried', () => {
  for (const earlier of [undefined, null, 7, 'text', { of: 'this' }, { of: 'this', found: 'none' }]) expect(next(earlier).known(asked('a'))).toBeNull();
});

it('carries no more than a heartbeat should', () => {
  const many = died((progress) => {
    for (let index = 0; index < 10_000; index++) progress.add(asked(`rule/environment/${index}`), found('InSync'));
  });
  const bytes = JSON.stringify(many).length;
  expect(bytes).toBeGreaterThan(100_000);
  expect(bytes).toBeLessThan(151_000);
});
