import {
  allHandlersFinished,
  condition,
  log,
  makeContinueAsNewFunc,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import { requestSync } from './activity-proxies.ts';
import { driftStateQuery, PAUSE_MEMO, pauseSignal, renewSignal, resumeSignal, type DriftWatchInput, type Pause } from './messages.ts';

type Message = { readonly kind: 'pause'; readonly pause: Omit<Pause, 'since'> } | { readonly kind: 'resume'; readonly by: string } | { readonly kind: 'renew' };

/**
 * One per tenant, for as long as the tenant is in the bundle: holds whether it is paused, and starts every stream again at its head on resume (I12).
 * The pause is mirrored into the memo, where `prepare` and each attempt of a write read it without a worker.
 */
export async function driftWatchWorkflow(input: DriftWatchInput): Promise<void> {
  const messages: Message[] = [];
  let pause: Pause | null = input.pause ?? null;
  let isToRenew = false;
  // One handler for both: signals that wait for the first task are handed over name by name, and a resume must not overtake its pause.
  setDefaultSignalHandler((name, asked) => {
    if (name === pauseSignal.name) messages.push({ kind: 'pause', pause: asked as Omit<Pause, 'since'> });
    else if (name === resumeSignal.name) messages.push({ kind: 'resume', by: (asked as { readonly by: string }).by });
    else if (name === renewSignal.name) messages.push({ kind: 'renew' });
    else log.warn('a signal of an unknown name', { name });
  });
  setHandler(driftStateQuery, () => ({
    tenant: input.tenant,
    pause,
    freeze: null,
    status: 'Pending',
    targets: [],
    moreTargets: 0,
    streams: [],
    checkedAt: null,
    nextCheckAt: null,
  }));
  show();

  // A message that is there already would be lost with this run.
  while (messages.length > 0 || !(isToRenew || workflowInfo().continueAsNewSuggested)) {
    await messageOrEnd(millisecondsLeft(pause));
    const message = messages.shift();
    if (message?.kind === 'pause') {
      pause = { ...message.pause, since: new Date().toISOString() };
      mirror();
    } else if (message?.kind === 'resume') await resume(message.by);
    else if (message?.kind === 'renew') isToRenew = true;
    else if (pause) await resume('the end of the pause');
  }
  await condition(allHandlersFinished);
  // The server would carry the memo on as it is: encrypted with the key of its day, for as long as the tenant exists.
  const continueAsNew = makeContinueAsNewFunc<typeof driftWatchWorkflow>({ memo: { [PAUSE_MEMO]: pause } });
  await continueAsNew({ tenant: input.tenant, ...(pause && { pause }) });

  async function messageOrEnd(leftMs: number | undefined): Promise<void> {
    if (leftMs === undefined) await condition(() => messages.length > 0);
    else await condition(() => messages.length > 0, Math.max(leftMs, 1));
  }

  async function resume(by: string): Promise<void> {
    const wasPaused = pause !== null;
    pause = null;
    mirror();
    if (!wasPaused) return;
    const { streams } = await requestSync({ tenant: input.tenant, by });
    log.info('resumed', { by, streams });
  }

  function mirror(): void {
    upsertMemo({ [PAUSE_MEMO]: pause });
    show();
  }

  function show(): void {
    setCurrentDetails(
      pause
        ? `**${input.tenant}** is **paused** since ${pause.since} by ${pause.by}: ${pause.reason}${pause.until ? ` (until ${pause.until})` : ''}. Nothing is written; \`vartrack resume ${input.tenant}\` goes on.`
        : `**${input.tenant}** is watched. \`vartrack pause ${input.tenant} --reason …\` stops every write.`,
    );
  }
}

/** Until the pause ends by itself; undefined if it does not. */
function millisecondsLeft(pause: Pause | null): number | undefined {
  return pause?.until === undefined ? undefined : Date.parse(pause.until) - Date.now();
}
