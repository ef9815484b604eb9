import { setTimeout as delay } from 'node:timers/promises';
import { explainSilence, isSilent, readDriftWatch } from '../clients/drift-watch.ts';
import type { Temporal } from '../clients/temporal.ts';
import type { DriftWatchState } from '../workflows/messages.ts';
import { CliError } from './cli-error.ts';
import { printable } from './printable.ts';

const READ_INTERVAL_MS = 200;
const ANSWERS_WITHIN_MS = 20_000;
const OVER_WITHIN_MS = 300_000;

/** Reads the state of a tenant's watch until it is as wanted. A watch that no worker answers has kept the message. */
export async function awaitWatch(
  { client }: Temporal,
  { tenant, taskQueue }: { readonly tenant: string; readonly taskQueue: string },
  isWanted: (state: DriftWatchState) => boolean,
  overWithinMs = OVER_WITHIN_MS,
): Promise<DriftWatchState> {
  const begun = Date.now();
  let heardAt = begun;
  let problem: string | null = null;
  for (;;) {
    const answer = await readDriftWatch(client, tenant);
    if (!isSilent(answer)) {
      heardAt = Date.now();
      if (isWanted(answer)) return answer;
      ({ problem } = answer);
    } else if (answer.silent === 'older-build' || Date.now() - heardAt > ANSWERS_WITHIN_MS) {
      throw new CliError('failed', `the message is stored and takes effect when a worker runs on the task queue "${taskQueue}": ${explainSilence(answer)}`);
    }
    if (Date.now() - begun > overWithinMs) {
      const why = problem === null ? '' : `: the last check found nothing out: ${printable(problem)}`;
      throw new CliError('failed', `it goes on after ${Math.round(overWithinMs / 60_000)} minutes${why}; "vartrack drift ${tenant}" tells how it stands`);
    }
    await delay(READ_INTERVAL_MS);
  }
}
