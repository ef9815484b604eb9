import type { Client } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { mayWrite, runsOf } from '../../activities/stream-runs.ts';

/** A client that knows of one running run, with these activities. */
function clientWith(pendingActivities: readonly { readonly name: string; readonly attempt: number }[]): Client {
  const raw = { pendingActivities: pendingActivities.map(({ name, attempt }) => ({ activityType: { name }, attempt })) };
  return {
    withAbortSignal: (_: AbortSignal, act: () => unknown) => act(),
    workflow: { getHandle: () => ({ describe: () => Promise.resolve({ runId: 'r', status: { name: 'RUNNING' }, raw }) }) },
  } as unknown as Client;
}

describe('a run that works', () => {
  it.each([
    ['may write between two activities', [], true],
    ['may write while it writes', [{ name: 'applyTarget', attempt: 9 }], true],
    ['may write soon after it began to read Git', [{ name: 'prepare', attempt: 2 }], true],
    ['does not write while Git does not answer', [{ name: 'prepare', attempt: 3 }], false],
    [
      'may write beside that',
      [
        { name: 'prepare', attempt: 7 },
        { name: 'restoreTarget', attempt: 1 },
      ],
      true,
    ],
  ] as const)('%s', async (_, pending, expected) => {
    const runs = await runsOf(clientWith(pending), { tenant: 'acme', repository: 'config', stream: 'main' }, new AbortController().signal);
    expect(runs).toMatchObject({ runId: 'r', isRunning: true });
    expect(mayWrite(runs)).toBe(expected);
  });

  it('is none where there is none', () => {
    expect(mayWrite(null)).toBe(false);
  });
});
