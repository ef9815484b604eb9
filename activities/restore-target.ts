import { ApplicationFailure } from '@temporalio/activity';
import { SinkError } from '../sinks/errors.ts';
import type { Place } from '../sinks/sink.ts';
import type { Restored, RestoreTargetInput } from './activity-types.ts';
import { recallTarget, UNKNOWN_PRIOR } from './apply-target.ts';
import { attempt } from './attempt.ts';
import type { ActivityDeps } from './deps.ts';
import { liveDigest } from './live-digest.ts';
import { keysOf } from './stream-state.ts';
import { undoWrite } from './undo-write.ts';

/** Puts one target back to exactly what the run's write replaced, and proves it by a fresh read where the write's own read is known (I6). */
export async function restoreTarget(deps: ActivityDeps, input: RestoreTargetInput): Promise<Restored> {
  const { tenant, target } = input;
  return attempt(`rule ${target.rule}: ${target.sink}`, async (own) => {
    own.aboutToWrite();
    try {
      return await restore(deps, input, own.signal);
    } catch (error) {
      if (error instanceof SinkError && error.reason === 'unauthorized') deps.sinks.drop(tenant, target.sink);
      // Undoing again cannot undo what somebody else wrote since; a person has to look.
      if (error instanceof SinkError && error.reason === 'conflict') {
        throw ApplicationFailure.nonRetryable(`rule ${target.rule}: ${target.sink}: ${error.message}`, 'sink conflict');
      }
      throw error;
    }
  });
}

async function restore(deps: ActivityDeps, input: RestoreTargetInput, signal: AbortSignal): Promise<Restored> {
  const { tenant, repository, stream, target, commit, writes, prior } = input;
  const place: Place = { name: target.place, layout: target.layout, fields: target.fields };
  const desiredKeys = await desiredKeysOf(deps, input, signal);
  const context = { signal, keys: desiredKeys ?? [], fingerprint: deps.fingerprint };
  const sink = await deps.sinks.get(deps.bundle(), tenant, target.sink);
  const undone = await undoWrite(sink, {
    ...context,
    place,
    writes,
    owner: { tenant, rule: target.rule, environment: target.environment },
    stream: `${repository}/${stream}`,
    commit,
    at: deps.now(),
  });
  if (undone === 'fenced') return { status: 'Skipped', message: 'nothing of it was written' };
  if (desiredKeys === null || prior === undefined || prior === UNKNOWN_PRIOR) return { status: 'Restored', message: 'put back from the undo record' };
  const live = await sink.read(place, context);
  if (liveDigest(live, deps.fingerprint) === prior) return { status: 'Restored', message: 'back to its prior values, read back' };
  throw new SinkError('conflict', 'it was put back and then changed by somebody else; compare it with Git and with the ledger beside it');
}

/** The keys that the write knew of, for the proof; null if they cannot be told any more (another bundle, a commit that is gone). The undo needs none. */
async function desiredKeysOf(deps: ActivityDeps, input: RestoreTargetInput, signal: AbortSignal): Promise<readonly string[] | null> {
  try {
    const { target } = await recallTarget(deps, input, signal);
    return keysOf(target);
  } catch (error) {
    if (signal.aborted) throw error;
    return null;
  }
}
