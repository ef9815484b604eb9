import type { Client } from '@temporalio/client';
import { expect, it } from 'vitest';
import { awaitWatch } from '../../cli/await-watch.ts';
import type { Temporal } from '../../clients/temporal.ts';
import type { DriftWatchState } from '../../workflows/messages.ts';
import { watchState } from '../domain/watched.ts';

/** A connection to a watch that is as the test says. */
function watchThatIs(state: Partial<DriftWatchState>): Temporal {
  const client = {
    withDeadline: (_: number, act: () => unknown) => act(),
    workflow: { getHandle: () => ({ query: () => Promise.resolve(watchState(state)) }) },
  } as unknown as Client;
  return { client } as Temporal;
}

const WATCH = { tenant: 'acme', taskQueue: 'q' };

it('tells why the last check found nothing out when it gives a watch up', async () => {
  const temporal = watchThatIs({ busy: true, problem: 'tenant acme: connect ECONNREFUSED\u001b[2J' });
  await expect(awaitWatch(temporal, WATCH, ({ busy }) => !busy, 1)).rejects.toThrow(
    /it goes on after .*: the last check found nothing out: tenant acme: connect ECONNREFUSED\\u001b\[2J; "vartrack drift acme" tells how it stands/,
  );
});

it('takes the first answer that is as wanted', async () => {
  await expect(awaitWatch(watchThatIs({ problem: 'it was away' }), WATCH, () => true, 1)).resolves.toMatchObject({ problem: 'it was away' });
});
