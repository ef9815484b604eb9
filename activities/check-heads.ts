import type { StreamNews } from '../domain/drift.ts';
import type { RefEvent } from '../domain/routing.ts';
import { NO_COMMIT } from '../domain/stream-head.ts';
import type { LastRun, StreamRuns } from './stream-runs.ts';

/** A stream as the remote has it. */
export interface SurveyedStream {
  readonly stream: string;
  readonly event: RefEvent;
  /** Undefined where the remote could not be asked, or has no ref for such a stream. */
  readonly head: string | undefined;
  readonly runs: StreamRuns | null;
}

/**
 * What is new of a stream: nothing while a run works, since every run goes for the head, and nothing where the head is applied. One of a closed pull request
 * has the commit for its head that it was closed at, until it is cleaned up.
 */
export function newsOf(repository: string, { stream, event, head: ref, runs }: SurveyedStream): StreamNews | null {
  if (runs?.isRunning === true) return null;
  const last = runs?.last ?? null;
  const trigger = isClosed({ runs }) ? ({ trigger: 'closed' } as const) : {};
  const head = trigger.trigger ? (last?.commit ?? NO_COMMIT) : ref;
  if (head === undefined) return null;
  const state = stateOf(head, last);
  if (state === null) return null;
  return { repository, stream, event, head, state, ...trigger, ...(last?.status !== undefined && { message: messageOf(last) }) };
}

/**
 * `failed` also for a run that ended before it knew the commit: had it been for another head, trying again would be right as well. A run that was parked
 * did nothing, so its head has still to be worked toward; whoever starts runs asks for the pause first. One that a person cancelled at the head waits for
 * that person.
 */
function stateOf(head: string, last: LastRun | null): StreamNews['state'] | null {
  const status = last?.status;
  if (!last || status === undefined || status === 'Parked') return 'moved';
  const stopped = status === 'RolledBack' || status === 'Failed' || status === 'Partial';
  if (last.commit === undefined) return stopped || status === 'Rejected' || status === 'Held' ? 'failed' : 'moved';
  if (last.commit !== head) return 'moved';
  if (stopped) return 'failed';
  if (status === 'Rejected' || status === 'Held' || last.isCancelled) return 'waiting';
  return null;
}

function messageOf({ status, commit, trigger }: LastRun): string {
  return `${trigger === 'closed' ? 'its clean-up' : 'the last run'} ended ${status}${commit === undefined ? '' : ` at ${commit.slice(0, 12)}`}`;
}

/** Whether the last word of a stream is that its pull request was closed: then it has no targets that are to be kept. */
export function isClosed({ runs }: Pick<SurveyedStream, 'runs'>): boolean {
  return runs?.last?.trigger === 'closed';
}

/** Whether the targets of the stream are known to have been brought to its head. */
export function isApplied({ head, runs }: SurveyedStream): boolean {
  const last = runs?.last;
  return head !== undefined && last?.trigger !== 'closed' && last?.commit === head && isWell(last);
}

/** Whether all of a run's targets hold what its commit says. */
export function isWell({ status }: LastRun): boolean {
  return status === 'Synced' || status === 'Unchanged';
}
