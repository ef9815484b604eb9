import { checkCodecKey } from '../clients/check-codec-key.ts';
import { isSilent, readDriftWatch, tellDriftWatch } from '../clients/drift-watch.ts';
import { registerSearchAttributes } from '../clients/temporal.ts';
import type { WatchedTarget } from '../domain/drift.ts';
import { isMeant, targetIdProblem } from '../domain/target-ids.ts';
import { forceHealSignal, type DriftWatchState } from '../workflows/messages.ts';
import { awaitWatch } from './await-watch.ts';
import { chooseTenant } from './choose-stream.ts';
import { CliError } from './cli-error.ts';
import { formatTargetLine, formatTroubles } from './format-drift.ts';
import { printable } from './printable.ts';
import type { CommandResult } from './run-command.ts';
import { currentUser, loadSettings } from './settings.ts';
import { withTemporal } from './with-temporal.ts';

export interface HealOptions {
  readonly bundle?: string;
  readonly reason?: string;
  readonly force?: boolean;
  readonly wait: boolean;
}

/** `vartrack heal`: drifted targets are put right now, in spite of back-off and of what is contested; tells how each ended. */
export async function runHeal(tenant: string, targets: readonly string[], options: HealOptions): Promise<CommandResult> {
  const { bundle, codecKey, taskQueue } = await loadSettings(options.bundle);
  const chosen = chooseTenant(bundle, tenant);
  const problems = targets.map((id) => targetIdProblem(chosen, id)).filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new CliError('unexpected', problems.join('\n'));

  return withTemporal(codecKey, async (temporal) => {
    await checkCodecKey(temporal, tenant, codecKey);
    await registerSearchAttributes(temporal.connection, temporal.namespace);
    const before = await readDriftWatch(temporal.client, tenant);
    if (!isSilent(before)) refuseWhatIsHeld(before, options);
    const asked = {
      by: currentUser(),
      ...(options.reason !== undefined && { reason: options.reason }),
      ...(targets.length > 0 && { targets }),
      ...(options.force && { force: true as const }),
    };
    await tellDriftWatch(temporal.client, { tenant, taskQueue }, forceHealSignal, asked);
    if (!options.wait) return { exit: 'ok', json: { tenant, asked }, text: `asked for; "vartrack drift ${tenant}" tells how it stands` };
    const state = await awaitWatch(temporal, { tenant, taskQueue }, (now) => isOver(now, isSilent(before) ? undefined : before, targets, options));
    return resultOf(state, targets);
  });
}

function refuseWhatIsHeld({ tenant, pause, freeze }: DriftWatchState, { force }: HealOptions): void {
  if (pause) throw new CliError('parked', `${tenant} is paused by ${printable(pause.by)}: ${printable(pause.reason)}; "vartrack resume ${tenant}" ends it`);
  if (freeze && !force) {
    throw new CliError('held', `${tenant} is frozen until ${freeze.until}: ${printable(freeze.reason)}; --force heals all the same, and is recorded`);
  }
}

/** Checked since, and nothing that was meant is being worked on or waits for a first try. */
function isOver(now: DriftWatchState, before: DriftWatchState | undefined, ids: readonly string[], { force }: HealOptions): boolean {
  if (now.busy || now.checkedAt === null || now.checkedAt === before?.checkedAt) return false;
  if (now.pause) return true;
  const lastHeals = new Map(before?.targets.map(({ id, heals }) => [id, heals?.at(-1)]));
  return meant(now, ids).every(({ id, status, heals, remedy, freeze }) => {
    if (status === 'Healing' || status === 'Syncing') return false;
    const isHeld = remedy === undefined || (freeze !== undefined && !force);
    const lastHeal = heals?.at(-1);
    return status !== 'Drifted' || isHeld || (lastHeal !== undefined && lastHeal !== lastHeals.get(id));
  });
}

function resultOf(state: DriftWatchState, ids: readonly string[]): CommandResult {
  const { tenant } = state;
  const targets = meant(state, ids);
  const bad = targets.filter(({ status }) => status === 'Drifted' || status === 'Contested' || status === 'Unknown');
  const unknown = ids.filter((id) => !targets.some((target) => isMeant(id, target)));
  const isWell = bad.length === 0 && unknown.length === 0;
  const count = targets.length + (ids.length === 0 ? state.moreTargets : 0);
  const shown = isWell && ids.length === 0 ? [] : bad.length > 0 ? bad : targets;
  const lines = [
    isWell ? `${tenant}: ${count} ${count === 1 ? 'target is as it should be' : 'targets are as they should be'}` : `${tenant}: not all is as it should be`,
    ...shown.flatMap((target) => [formatTargetLine(target), ...(target.message === undefined ? [] : [`  ${printable(target.message)}`])]),
    ...unknown.map((id) => `${id}: the watch knows of no such target; it was never written`),
    ...(isWell ? [] : formatTroubles(state)),
  ];
  return { exit: isWell ? 'ok' : 'failed', json: { tenant, targets, unknown, ...(!isWell && { pollProblems: state.pollProblems }) }, text: lines.join('\n') };
}

function meant({ targets }: DriftWatchState, ids: readonly string[]): readonly WatchedTarget[] {
  return ids.length === 0 ? targets : targets.filter((target) => ids.some((id) => isMeant(id, target)));
}
