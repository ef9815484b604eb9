import type { MetricMeter } from '@temporalio/common';
import type { RunOutcome } from '../domain/status.ts';
import type { SyncRequest } from '../workflows/messages.ts';

/** Boundaries in seconds: from a sink that tells of a change at once to a writer that was held up by the back-off. */
export const HEAL_DURATION_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600];
export const HEAL_DURATION = 'vartrack_heal_duration_seconds';

/** Counts what a heal or a rotation did; other requests are none. */
export function countHeal(meter: MetricMeter, { trigger, since }: SyncRequest, { status, targets }: RunOutcome, now: Date): void {
  if (trigger !== 'heal' && trigger !== 'rotation') return;
  const heals = meter.createCounter('vartrack_heal', '1', 'Targets of heals and rotations that ended, by status; kind is none where no target was reached');
  for (const target of targets) heals.add(1, { trigger, kind: target.kind, status: target.status });
  if (targets.length === 0) heals.add(1, { trigger, kind: 'none', status });
  const seconds = since === undefined || status !== 'Synced' ? Number.NaN : (now.getTime() - Date.parse(since)) / 1000;
  // A drift that another machine saw by a clock that is ahead was healed at once.
  if (Number.isFinite(seconds))
    meter.createHistogram(HEAL_DURATION, 'float', 's', 'From the drift that was seen to its heal').record(Math.max(seconds, 0), { trigger });
}
