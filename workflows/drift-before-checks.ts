import { condition, log, upsertMemo, workflowInfo } from '@temporalio/workflow';
import { requestSync } from './activity-proxies.ts';
import type { DriftMessage } from './drift-messages.ts';
import { PAUSE_MEMO, type Pause } from './messages.ts';

/**
 * What a watch did before there were checks, for runs that began then: they are replayed as they were, and go on as a run of today with the first message
 * that is neither `pause` nor `resume`. Gives the pause and those messages. Every boot of a worker sends one, so this can go a version later.
 */
export async function watchBeforeChecks(
  tenant: string,
  carried: Pause | undefined,
  inbox: DriftMessage[],
  show: (pause: Pause | null) => void,
): Promise<{ readonly pause: Pause | null; readonly rest: readonly DriftMessage[] }> {
  let pause: Pause | null = carried ?? null;
  const rest: DriftMessage[] = [];
  show(pause);
  while (inbox.length > 0 || !(rest.length > 0 || workflowInfo().continueAsNewSuggested)) {
    const leftMs = pause?.until === undefined ? undefined : Date.parse(pause.until) - Date.now();
    if (leftMs === undefined) await condition(() => inbox.length > 0);
    else await condition(() => inbox.length > 0, Math.max(leftMs, 1));
    const message = inbox.shift();
    if (message?.kind === 'pause') set({ ...message.pause, since: new Date().toISOString() });
    else if (message?.kind === 'resume') await resume(message.by);
    else if (message?.kind === 'invalid') log.warn(message.why);
    else if (message) rest.push(message);
    else if (pause) await resume('the end of the pause');
  }
  return { pause, rest };

  async function resume(by: string): Promise<void> {
    const wasPaused = pause !== null;
    set(null);
    if (wasPaused) await requestSync({ tenant, by });
  }

  function set(next: Pause | null): void {
    pause = next;
    upsertMemo({ [PAUSE_MEMO]: pause });
    show(pause);
  }
}
