import { ApplicationFailure } from '@temporalio/activity';
import { SinkError } from '../sinks/errors.ts';
import type { Restored, RestoreTargetInput } from './activity-types.ts';
import { recallTarget, UNKNOWN_PRIOR } from './apply-target.ts';
import { attempt } from './attempt.ts';
import type { ActivityDeps } from './deps.ts';
import { liveDigest } from './live-digest.ts';
import { undoWrite } from './undo-write.ts';

/** Puts one target back to exactly what the run's write replaced, and proves it by a fresh read where the write's own read is known (I6). */
export async function restoreTarget(deps: ActivityDeps, input: RestoreTargetInput): Promise<Restored> {
  const { tenant, repository, stream, target: name, commit, writes, prior } = input;
  return attempt(`${tenant}/${name.rule}: ${name.sink} ${name.place}`, async (own) => {
    own.aboutToWrite();
    const { rule, target } = await recallTarget(deps, input, own.signal);
    const sink = await deps.sinks.get(deps.bundle(), tenant, name.sink);
    const keys = target.entries.map((entry) => entry.key);
    try {
      const undone = await undoWrite(sink, {
        place: target.place,
        keys,
        writes,
        owner: { tenant, rule: rule.name, environment: rule.environment },
        stream: `${repository}/${stream}`,
        commit,
        at: deps.now(),
        signal: own.signal,
        fingerprint: deps.fingerprint,
      });
      if (undone === 'fenced') return { status: 'Skipped', message: 'nothing of it was written' };
      if (prior === undefined || prior === UNKNOWN_PRIOR) return { status: 'Restored', message: 'put back from the undo record' };
      const live = await sink.read(target.place, { signal: own.signal, keys, fingerprint: deps.fingerprint });
      if (liveDigest(live, deps.fingerprint) === prior) return { status: 'Restored', message: 'back to its prior values, read back' };
      throw new SinkError('conflict', 'it was put back and then changed by somebody else; compare it with Git and with the ledger beside it');
    } catch (error) {
      if (error instanceof SinkError && error.reason === 'unauthorized') deps.sinks.drop(tenant, name.sink);
      // Undoing again cannot undo what somebody else wrote since; a person has to look.
      if (error instanceof SinkError && error.reason === 'conflict')
        throw ApplicationFailure.nonRetryable(`${name.sink} ${name.place}: ${error.message}`, 'sink conflict');
      throw error;
    }
  });
}
