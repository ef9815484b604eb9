import { ApplicationFailure, log } from '@temporalio/activity';
import { encodeLedger, type Ledger } from '../domain/ledger.ts';
import type { CheckedTarget } from '../domain/drift.ts';
import type { LiveState } from '../domain/plan.ts';
import { SinkError } from '../sinks/errors.ts';
import { isApplied, isWell, type SurveyedStream } from './check-heads.ts';
import type { SecretPath, Targets } from './check-memory.ts';
import { toFailure } from './failures.ts';
import { judgeByLedger, judgeWithoutLedger, ownsAnything, type Finding, type Judging } from './judge-target.ts';
import { liveDigest } from './live-digest.ts';
import type { OutlinedTarget } from './outline-stream.ts';
import { mayWrite } from './stream-runs.ts';

/** What the targets of one check share. */
export interface CheckWork extends Pick<Judging, 'deps' | 'bundle' | 'tenant' | 'stateOf' | 'signal'> {
  readonly memory: Targets;
}

/** A target, and every stream that may feed it: a branch and the tags, say. */
export interface TargetToCheck {
  readonly target: OutlinedTarget;
  readonly repository: string;
  readonly streams: readonly [SurveyedStream, ...SurveyedStream[]];
}

export interface Checked {
  readonly target: CheckedTarget;
  /** Secrets that it holds in their newest version, as far as they are known. */
  readonly secrets: readonly SecretPath[];
  /** The last run that was to write newer ones failed. */
  readonly hasFailedRotation?: true;
}

const LONGEST_MESSAGE = 300;

/**
 * Compares one place with the commit of its ledger, by a fresh read and the plan that a heal would carry out. While a run works on it nothing is said.
 *
 * A drifted place is to be healed where a heal at the ledger's commit can: values of ours that somebody changed, removed or added, a write that was left
 * half-done, a ledger that lost keys. It is to be brought to the head of its stream where the ledger cannot say what belongs there: it is gone, Git does
 * not have its commit, the bundle asks for what the commit does not have, or it names an older commit than the last run applied. It has no remedy where a
 * heal would be held: a stranger's document at a place that was lost, or more to delete than `limits.deletes`; a person has to look, and the message
 * says what for. What belongs to another rule is pending, not drifted: it was never ours. Whatever fails is unknown (I3).
 */
export async function checkTarget(work: CheckWork, asked: TargetToCheck): Promise<Checked> {
  const { bundle, tenant, deps, signal, memory } = work;
  const { target, streams } = asked;
  const running = streams.find(({ runs }) => mayWrite(runs));
  const remembered = memory.get(keyOf(work, target));
  const secrets = remembered?.secrets ?? [];
  if (running) return { target: targetAs(asked, running, { status: 'Syncing' }), secrets };
  let stream: SurveyedStream = streams.find(isApplied) ?? streams[0];
  try {
    const sink = await deps.sinks.get(bundle, tenant, target.sink);
    const live = await sink.read(target.place, { signal, keys: [], fingerprint: deps.fingerprint });
    const ledger = ownsAnything(live.ledger) ? live.ledger : null;
    stream = streams.find((each) => ledger?.stream === `${asked.repository}/${each.stream}`) ?? stream;
    const digest = digestOf(work, live, stream, ledger === null);
    if (remembered?.digest === digest) return { target: targetAs(asked, stream, { ...commitOf(ledger), status: remembered.status }), secrets };

    const judging = { ...work, repository: asked.repository, outlined: target, stream };
    const judged = ledger ? await judgeByLedger({ ...judging, live, ledger }) : await judgeWithoutLedger(judging);
    const { status } = judged.finding;
    if (status === 'InSync' || status === 'Unverifiable') memory.set(keyOf(work, target), { digest, status, secrets: judged.secrets });
    else memory.set(keyOf(work, target), { digest: null, status: 'InSync', secrets: judged.secrets });
    return { target: targetAs(asked, stream, { ...commitOf(ledger), ...judged.finding }), secrets: judged.secrets };
  } catch (error) {
    if (signal.aborted) throw error;
    if (error instanceof SinkError && error.reason === 'unauthorized') deps.sinks.drop(tenant, target.sink);
    const failure = toFailure(error, `rule ${target.rule}: ${target.sink}`, { wrote: 'no' });
    if (failure instanceof ApplicationFailure && failure.type === 'unexpected') log.error('a target could not be checked', { target: target.id, error });
    return { target: targetAs(asked, stream, { status: 'Unknown', message: failure.message }), secrets };
  }
}

function commitOf(ledger: Ledger | null): Pick<CheckedTarget, 'commit'> {
  return ledger ? { commit: ledger.commit } : {};
}

function keyOf({ tenant }: CheckWork, { id, place }: OutlinedTarget): string {
  return JSON.stringify([tenant, id, place.name]);
}

/** Everything that says whether there is something to do, beside the bundle. */
function digestOf({ deps: { fingerprint } }: CheckWork, live: LiveState, stream: SurveyedStream, byHead: boolean): string {
  const { event, head, runs } = stream;
  const { last } = runs ?? {};
  const applied = last && isWell(last) ? last.commit : undefined;
  const ledger = live.ledger && encodeLedger(live.ledger);
  return fingerprint(JSON.stringify([stream.stream, event, byHead ? head : null, applied ?? null, ledger, liveDigest(live, fingerprint)]));
}

/** Messages begin with what is wrong and end with what to do; long lists of keys are between. */
function shortenedMiddle(message: string): string {
  if (message.length <= LONGEST_MESSAGE) return message;
  const half = Math.floor((LONGEST_MESSAGE - 1) / 2);
  return `${message.slice(0, half)}…${message.slice(-half)}`;
}

/** A target with what was found there. Always in the same order, which the digest of a group rests on. */
export function targetAs({ target, repository }: TargetToCheck, { stream, event }: SurveyedStream, finding: Finding): CheckedTarget {
  const { id, rule, environment, sink, kind, place, policy } = target;
  const mode = policy.drift.mode === 'warn' ? 'warn' : 'heal';
  const { message } = finding;
  const shortened = message === undefined ? undefined : shortenedMiddle(message);
  const names = { id, rule, environment, sink, kind, place: place.name, repository, stream, event, mode } as const;
  return { ...names, ...finding, ...(shortened !== undefined && { message: shortened }) };
}
