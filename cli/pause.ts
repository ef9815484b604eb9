import { setTimeout as delay } from 'node:timers/promises';
import { createPauseReader } from '../activities/pause.ts';
import { startDriftWatches } from '../clients/start-drift-watch.ts';
import { registerSearchAttributes, type Temporal } from '../clients/temporal.ts';
import { parsePauseEnd } from '../schemas/pause-end.ts';
import { driftWorkflowId, pauseSignal, resumeSignal, type Pause } from '../workflows/messages.ts';
import { checkCodecKey } from '../clients/check-codec-key.ts';
import { chooseTenant } from './choose-stream.ts';
import { CliError } from './cli-error.ts';
import type { CommandResult } from './run-command.ts';
import { currentUser, loadSettings } from './settings.ts';
import { withTemporal } from './with-temporal.ts';

export interface PauseOptions {
  readonly bundle?: string;
  readonly reason: string;
  readonly until?: string;
}

const CONFIRMED_WITHIN_MS = 20_000;
const READ_INTERVAL_MS = 100;

/** `vartrack pause`: no write begins for the tenant until it is resumed. Says so only after it was read back. */
export async function runPause(tenant: string, { bundle, reason, until }: PauseOptions): Promise<CommandResult> {
  const end = until === undefined ? undefined : parseUntil(until, new Date());
  const pause = await signalAndRead(tenant, bundle, async (temporal, before) => {
    const asked = { by: currentUser(), reason, ...(end !== undefined && { until: end }) };
    await temporal.client.workflow.getHandle(driftWorkflowId(tenant)).signal(pauseSignal, asked);
    return (now) => now !== null && now.since !== before?.since;
  });
  const ends = pause?.until === undefined ? `until "vartrack resume ${tenant}"` : `until ${pause.until}`;
  return { exit: 'ok', json: { tenant, pause }, text: `${tenant} is paused ${ends}; nothing is written, and pushes end as Parked` };
}

/** `vartrack resume`: ends the pause; every stream is brought to its head. */
export async function runResume(tenant: string, { bundle }: { readonly bundle?: string }): Promise<CommandResult> {
  let was: Pause | null = null;
  await signalAndRead(tenant, bundle, async (temporal, before) => {
    was = before;
    // Also where no pause is seen: one may be on its way.
    await temporal.client.workflow.getHandle(driftWorkflowId(tenant)).signal(resumeSignal, { by: currentUser() });
    return (now) => now === null;
  });
  const text = was === null ? `${tenant} was not paused` : `${tenant} is resumed; every stream is brought to its newest commit`;
  return { exit: 'ok', json: { tenant, pause: null, was }, text };
}

/** Sends a signal to the tenant's DriftWatch workflow, which is started if it does not run, and waits until its memo shows the effect. */
async function signalAndRead(
  tenant: string,
  bundlePath: string | undefined,
  send: (temporal: Temporal, before: Pause | null) => Promise<(now: Pause | null) => boolean>,
): Promise<Pause | null> {
  const { bundle, codecKey, taskQueue } = await loadSettings(bundlePath);
  chooseTenant(bundle, tenant);
  return withTemporal(codecKey, async (temporal) => {
    await checkCodecKey(temporal, tenant, codecKey);
    await registerSearchAttributes(temporal.connection, temporal.namespace);
    await startDriftWatches(temporal.client, [tenant], taskQueue);
    const read = createPauseReader(temporal.client);
    const isDone = await send(temporal, await read(tenant));
    const deadline = Date.now() + CONFIRMED_WITHIN_MS;
    for (;;) {
      const now = await read(tenant);
      if (isDone(now)) return now;
      if (Date.now() > deadline) {
        throw new CliError(
          'failed',
          `the message to ${driftWorkflowId(tenant)} is stored, but no worker has taken it within ${CONFIRMED_WITHIN_MS / 1000} s; it takes effect when one runs on the task queue "${taskQueue}"`,
        );
      }
      await delay(READ_INTERVAL_MS);
    }
  });
}

/** An ISO 8601 time or a duration from now, as ISO 8601. */
export function parseUntil(text: string, now: Date): string {
  const end = parsePauseEnd(text, now);
  if ('problem' in end) throw new CliError('unexpected', `--until ${end.problem}`);
  return end.at;
}
