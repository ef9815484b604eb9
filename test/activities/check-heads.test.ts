import { describe, expect, it } from 'vitest';
import { newsOf } from '../../activities/check-heads.ts';
import type { LastRun } from '../../activities/stream-runs.ts';

const HEAD = 'a'.repeat(40);
const OLD = 'b'.repeat(40);

function news(last: Partial<LastRun> | null, { head = HEAD, isRunning = false }: { readonly head?: string | undefined; readonly isRunning?: boolean } = {}) {
  const whole: LastRun | null = last && { trigger: 'push', status: undefined, commit: undefined, isCancelled: false, closedAt: 0, ...last };
  return newsOf('config', { stream: 'main', event: { kind: 'branch', name: 'main' }, head, runs: { runId: 'r', isRunning, last: whole } });
}

describe('the news of a stream', () => {
  it.each([
    ['that no run ever worked on', null, 'moved'],
    ['whose run was for another commit', { status: 'Synced', commit: OLD }, 'moved'],
    ['whose run for another commit failed', { status: 'RolledBack', commit: OLD }, 'moved'],
    ['whose run ended without a word', {}, 'moved'],
    ['that was parked', { status: 'Parked', commit: HEAD }, 'moved'],
    ['that was rolled back', { status: 'RolledBack', commit: HEAD }, 'failed'],
    ['that failed', { status: 'Failed', commit: HEAD }, 'failed'],
    ['that was partly written', { status: 'Partial', commit: HEAD }, 'failed'],
    ['that could not be prepared', { status: 'Failed' }, 'failed'],
    ['that was rejected before it was read', { status: 'Rejected' }, 'failed'],
    ['that is not valid', { status: 'Rejected', commit: HEAD }, 'waiting'],
    ['that a person has to decide on', { status: 'Held', commit: HEAD }, 'waiting'],
    ['that a person cancelled', { status: 'Superseded', commit: HEAD, isCancelled: true }, 'waiting'],
    ['that was applied', { status: 'Synced', commit: HEAD }, undefined],
    ['that had nothing to write', { status: 'Unchanged', commit: HEAD }, undefined],
    ['that found something newer', { status: 'Superseded', commit: HEAD }, undefined],
  ] as const)('%s', (_, last, state) => {
    expect(news(last)?.state).toBe(state);
  });

  it('say how the last run ended', () => {
    expect(news({ status: 'RolledBack', commit: HEAD })).toMatchObject({
      repository: 'config',
      head: HEAD,
      message: 'the last run ended RolledBack at aaaaaaaaaaaa',
    });
  });

  it.each([
    ['Failed', 'failed'],
    ['Partial', 'failed'],
    ['Held', 'waiting'],
    ['Parked', 'moved'],
    [undefined, 'moved'],
    ['Synced', undefined],
    ['Unchanged', undefined],
  ] as const)('are its clean-up where the pull request was closed and that ended %s: %s', (status, state) => {
    const found = news({ trigger: 'closed', status, commit: OLD });
    expect(found?.state).toBe(state);
    if (state) expect(found).toMatchObject({ trigger: 'closed', head: OLD });
    expect(news({ trigger: 'closed', status, commit: OLD }, { head: undefined })).toEqual(found);
  });

  it('are none while a run works, nor where the remote has no such ref', () => {
    expect(news(null, { isRunning: true })).toBeNull();
    expect(newsOf('config', { stream: 'main', event: { kind: 'branch', name: 'main' }, head: undefined, runs: null })).toBeNull();
  });
});
