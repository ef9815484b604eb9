import { explainSilence, isSilent, type WatchAnswer } from '../clients/drift-watch.ts';
import type { WatchedTarget } from '../domain/drift.ts';
import type { DriftWatchState } from '../workflows/messages.ts';
import { formatHolds, formatStream, formatTroubles, summarizeDrift } from './format-drift.ts';
import { paint } from './format-table.ts';

/** How a tenant's targets stand, for `vartrack status`; a watch that no worker answers for is told in words. */
export type DriftStatus =
  | (Pick<DriftWatchState, 'status' | 'freeze' | 'checkedAt' | 'nextCheckAt' | 'problem' | 'pollProblems'> & {
      readonly counts: Readonly<Partial<Record<WatchedTarget['status'], number>>>;
      /** Streams whose head is not applied. */
      readonly notApplied: DriftWatchState['streams'];
    })
  | { readonly error: string };

export function driftStatusOf(watch: WatchAnswer): DriftStatus {
  if (isSilent(watch)) return { error: explainSilence(watch) };
  const { status, freeze, checkedAt, nextCheckAt, problem, pollProblems, targets, streams } = watch;
  const counts = Object.fromEntries([...Map.groupBy(targets, (target) => target.status)].map(([name, { length }]) => [name, length]));
  return { status, freeze, checkedAt, nextCheckAt, problem, pollProblems, counts, notApplied: streams };
}

export function formatDriftStatus(watch: WatchAnswer): string[] {
  if (isSilent(watch)) return [`drift: ${paint('dim', explainSilence(watch))}`];
  const holds = formatHolds({ pause: null, freeze: watch.freeze });
  return [`drift: ${summarizeDrift(watch)}`, ...holds, ...formatTroubles(watch), ...watch.streams.map(formatStream)];
}
