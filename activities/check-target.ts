import { encodeLedger, formatOwner, sameOwner, type Ledger } from '../domain/ledger.ts';
import type { Bundle } from '../domain/bundle.ts';
import type { CheckedTarget } from '../domain/drift.ts';
import { driftOf } from '../domain/drift-of.ts';
import type { HeldPlan, LiveState, Plan, WritePlan } from '../domain/plan.ts';
import { formatProblem, InvalidInput } from '../domain/problem.ts';
import { GitError } from '../clients/git.ts';
import { SinkError } from '../sinks/errors.ts';
import { assessTarget } from './assess-target.ts';
import { isApplied, isWell, newsOf, type SurveyedStream } from './check-heads.ts';
import type { SecretPath, Targets } from './check-memory.ts';
import type { ActivityDeps } from './deps.ts';
import { toFailure } from './failures.ts';
import { liveDigest } from './live-digest.ts';
import { lookAtTarget } from './look-at-target.ts';
import { maskSecrets } from './mask-secrets.ts';
import type { OutlinedTarget } from './outline-stream.ts';
import { keysOf, repositoryOf, type RuleState, type StreamState, type TargetState } from './stream-state.ts';

/** What the targets of one check share. */
export interface CheckWork {
  readonly deps: Pick<ActivityDeps, 'bundle' | 'git' | 'sinks' | 'desired' | 'fingerprint' | 'now'>;
  readonly bundle: Bundle;
  readonly tenant: string;
  readonly memory: Targets;
  /** The desired state of a stream at a commit, computed once for all of its targets. */
  readonly stateOf: (repository: string, stream: SurveyedStream, commit: string) => Promise<StreamState>;
  readonly signal: AbortSignal;
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
}

/** What is found at a place, beside the names of its target. */
type Finding = Pick<CheckedTarget, 'status' | 'commit' | 'remedy' | 'keys' | 'moreKeys' | 'digest' | 'message'>;

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
  const running = streams.find(({ runs }) => runs?.isRunning === true);
  const remembered = memory.get(keyOf(work, target));
  const secrets = remembered?.secrets ?? [];
  if (running) return { target: found(asked, running, { status: 'Syncing' }), secrets };
  let stream: SurveyedStream = streams.find(isApplied) ?? streams[0];
  try {
    const sink = await deps.sinks.get(bundle, tenant, target.sink);
    const live = await sink.read(target.place, { signal, keys: [], fingerprint: deps.fingerprint });
    const ledger = ownsAnything(live.ledger) ? live.ledger : null;
    stream = streams.find((each) => ledger?.stream === `${asked.repository}/${each.stream}`) ?? stream;
    const digest = digestOf(work, live, stream, ledger === null);
    if (remembered?.digest === digest) return { target: found(asked, stream, { status: remembered.status, ...commitOf(ledger) }), secrets };

    const judged = ledger ? await judge({ ...work, asked, stream, live, ledger }) : await judgeWithoutLedger({ ...work, asked, stream });
    const { status } = judged.finding;
    if (status === 'InSync' || status === 'Unverifiable') memory.set(keyOf(work, target), { digest, status, secrets: judged.secrets });
    else memory.set(keyOf(work, target), { digest: null, status: 'InSync', secrets: judged.secrets });
    return { target: found(asked, stream, { ...commitOf(ledger), ...judged.finding }), secrets: judged.secrets };
  } catch (error) {
    if (signal.aborted) throw error;
    if (error instanceof SinkError && error.reason === 'unauthorized') deps.sinks.drop(tenant, target.sink);
    const { message } = toFailure(error, `rule ${target.rule}: ${target.sink}`, { wrote: 'no' });
    return { target: found(asked, stream, { status: 'Unknown', message }), secrets };
  }
}

interface Judging extends CheckWork {
  readonly asked: TargetToCheck;
  readonly stream: SurveyedStream;
}

interface Judged {
  readonly finding: Finding;
  readonly secrets: readonly SecretPath[];
}

/** Nothing is known to be applied; an empty ledger is what an undo leaves. */
async function judgeWithoutLedger(judging: Judging): Promise<Judged> {
  const { asked, stream, deps, tenant, signal } = judging;
  const { head } = stream;
  if (head === undefined || !isApplied(stream)) {
    const news = newsOf(asked.repository, stream);
    const message =
      head === undefined ? 'nothing is applied, and its head is not known now' : `nothing is applied so far${news?.message ? `: ${news.message}` : ''}`;
    return { finding: { status: 'Pending', message }, secrets: [] };
  }
  const located = locate(await judging.stateOf(asked.repository, stream, head), asked.target);
  if (!located) return { finding: { status: 'Pending', message: 'the head of its stream has nothing for it' }, secrets: [] };
  const { rule, target } = located;
  const request = { tenant, repository: asked.repository, stream: stream.stream, commit: head, rule, target, deletesAllowed: false, mends: false };
  const look = await lookAtTarget(deps, request, signal);
  const secrets = secretsOf(rule, target);
  if (look.kind === 'unseen') return { finding: { status: 'Unknown', message: look.message }, secrets };
  const { live, plan } = look;
  if (plan.kind === 'unchanged') return { finding: { status: 'InSync' }, secrets };
  // What only a glance could tell: somebody brought the ledger back.
  if (ownsAnything(live.ledger)) return { finding: { status: 'Syncing' }, secrets };
  const drift = { ...driftOf(plan, target.entries, live, deps.fingerprint) };
  if (plan.kind === 'held') return { finding: heldFinding(plan, drift), secrets };
  const message = 'its ledger is gone: what is equal is adopted again, the rest is written';
  return { finding: { status: 'Drifted', remedy: 'sync', ...drift, message }, secrets };
}

async function judge(judging: Judging & { readonly live: LiveState; readonly ledger: Ledger }): Promise<Judged> {
  const { asked, stream, deps, bundle, tenant, ledger, signal } = judging;
  const { fingerprint } = deps;
  if (!ledger.stream.startsWith(`${asked.repository}/`)) return atHead(judging, `its ledger is of ${ledger.stream}, which does not feed it any more`);
  let state: StreamState;
  try {
    state = await judging.stateOf(asked.repository, stream, ledger.commit);
  } catch (error) {
    const why = outdated(error, ledger.commit);
    if (why === null) throw error;
    return atHead(judging, why);
  }
  const located = locate(state, asked.target);
  if (!located) return atHead(judging, `commit ${ledger.commit.slice(0, 12)} of its ledger has nothing for it`);
  const { rule, target } = located;
  const secrets = secretsOf(rule, target);
  if (await isBehind(judging, rule)) {
    const applied = stream.runs?.last?.commit?.slice(0, 12);
    return atHead(judging, `its ledger says ${ledger.commit.slice(0, 12)}, which is older than ${applied} of the last run`, secrets);
  }
  let { live } = judging;
  if (target.entries.some(({ key }) => !Object.hasOwn(ledger.keys, key)) && target.capabilities.ownership === 'keys') {
    const sink = await deps.sinks.get(bundle, tenant, target.sink);
    live = await sink.read(asked.target.place, { signal, keys: keysOf(target), fingerprint });
    if (live.ledger?.write !== ledger.write || live.ledger.generation !== ledger.generation) return { finding: { status: 'Syncing' }, secrets };
  }
  const masked = maskSecrets(target, live, ledger, fingerprint);
  const plan = await assessTarget(
    {
      bundle,
      tenant,
      repository: asked.repository,
      stream: stream.stream,
      commit: ledger.commit,
      rule,
      target: masked.target,
      deletesAllowed: false,
      mends: true,
      write: 'check',
      at: deps.now(),
      fingerprint: masked.fingerprint,
      inputsMoved: () => Promise.resolve(false),
    },
    live,
  );
  return { finding: findingOf(judging, plan, { ...judging, live, target: masked.target, fingerprint: masked.fingerprint }), secrets };
}

interface Evidence {
  readonly live: LiveState;
  readonly ledger: Ledger;
  readonly target: TargetState;
  readonly fingerprint: (text: string) => string;
}

function findingOf({ asked, stream, tenant }: Judging, plan: Plan, { live, ledger, target, fingerprint }: Evidence): Finding {
  const fine: Finding = { status: [...live.entries.values()].includes(null) ? 'Unverifiable' : 'InSync' };
  if (plan.kind === 'unchanged') return fine;
  const drift = driftOf(plan, target.entries, live, fingerprint);
  if (plan.kind === 'held') return heldFinding(plan, drift);
  const isOurs = sameOwner(ledger.owner, { tenant, rule: asked.target.rule, environment: asked.target.environment });
  const differs = plan.puts.length + plan.deletes.length + plan.adopted.length > 0;
  if (!differs && !isOurs) return { status: 'Pending', message: `it is as ${formatOwner(ledger.owner)} left it; the next run takes it over` };
  // Its ledger knows keys that somebody removed and Git does not want either: nothing to mend, and the next write forgets them.
  if (!differs && ledger.state === 'committed' && live.corrupt === undefined) return fine;
  const isKnown = isOurs && ledger.stream === `${asked.repository}/${stream.stream}`;
  const message = messageOf(plan, ledger, live);
  return { status: 'Drifted', remedy: isKnown ? 'heal' : 'sync', ...drift, ...(message !== undefined && { message }) };
}

function messageOf({ puts, deletes, adopted }: WritePlan, ledger: Ledger, { corrupt }: LiveState): string | undefined {
  if (ledger.state === 'intent') return 'a write was left half-done, and no run goes on with it';
  if (corrupt !== undefined) return `it ${corrupt}`;
  if (puts.length + deletes.length === 0) return `its ledger lost ${adopted.length} of its keys`;
  return undefined;
}

function heldFinding({ holds }: HeldPlan, drift: ReturnType<typeof driftOf>): Finding {
  const message = holds.map((hold) => hold.message).join('; ');
  if (holds.some(({ reason }) => reason === 'owned-by-other')) return { status: 'Pending', message };
  return { status: 'Drifted', ...drift, message };
}

/** The ledger cannot say what belongs there, so the head of the stream has to; unless a run has tried just that, and what stopped it is told of the stream. */
function atHead(
  { asked, stream, deps, ledger, live }: Judging & { readonly live: LiveState; readonly ledger: Ledger },
  why: string,
  secrets: readonly SecretPath[] = [],
): Judged {
  const news = newsOf(asked.repository, stream);
  if (stream.head === undefined) return { finding: { status: 'Pending', message: `${why}, and the head of its stream is not known now` }, secrets };
  if (news?.state === 'failed' || news?.state === 'waiting') return { finding: { status: 'Pending', message: `${why}; ${news.message ?? ''}` }, secrets };
  const digest = deps.fingerprint(JSON.stringify(['at head', ledger.commit, ledger.stream, liveDigest(live, deps.fingerprint)]));
  return { finding: { status: 'Drifted', remedy: 'sync', digest, message: why }, secrets };
}

/** Why a commit cannot say what belongs to a place; null for a failure that says nothing of it. */
function outdated(error: unknown, commit: string): string | null {
  const name = commit.slice(0, 12);
  if (error instanceof GitError && error.reason === 'not-found' && error.missing === 'revision')
    return `Git does not have commit ${name} of its ledger any more`;
  if (!(error instanceof InvalidInput)) return null;
  const [first] = error.problems;
  return `commit ${name} of its ledger is not valid under the bundle: ${first ? formatProblem(first) : 'it is refused'}`;
}

/**
 * Whether the last run applied a newer commit that touched the files of the rule: then it wrote another ledger than this one, which somebody put back or
 * made up. Only what is certain counts: after a force push nothing is.
 */
async function isBehind({ asked, stream, deps, bundle, tenant, ledger, signal }: Judging & { readonly ledger: Ledger }, rule: RuleState): Promise<boolean> {
  const last = stream.runs?.last;
  if (!last?.commit || last.commit === ledger.commit || !isWell(last) || ledger.stream !== `${asked.repository}/${stream.stream}`) return false;
  const repository = repositoryOf({ bundle, tenant, repository: asked.repository });
  if ((await deps.git.isAncestor(repository, ledger.commit, last.commit, signal)) !== 'yes') return false;
  return deps.git.touched(repository, ledger.commit, last.commit, rule.inputs, signal);
}

function locate(state: StreamState, { rule: name, environment, destination }: OutlinedTarget): { rule: RuleState; target: TargetState } | null {
  const rule = state.rules.find((each) => each.name === name && each.environment === environment);
  const target = rule?.targets.find((each) => each.destination === destination);
  return rule && target ? { rule, target } : null;
}

/** A reference that names its version asks for that one only. */
function secretsOf(rule: RuleState, { secretKeys }: TargetState): SecretPath[] {
  if (secretKeys.size === 0) return [];
  const newest = rule.secrets.filter(({ version }) => version === undefined);
  return [...new Map(newest.map(({ manager, path, field }) => [`${manager}:${path}`, { manager, path, field }])).values()];
}

function ownsAnything(ledger: Ledger | null): ledger is Ledger {
  return ledger !== null && Object.keys(ledger.keys).length > 0;
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

function found({ target, repository }: TargetToCheck, { stream, event }: SurveyedStream, finding: Finding): CheckedTarget {
  const { id, rule, environment, sink, kind, place, policy } = target;
  const mode = policy.drift.mode === 'warn' ? 'warn' : 'heal';
  const { message } = finding;
  const shortened = message !== undefined && message.length > LONGEST_MESSAGE ? `${message.slice(0, LONGEST_MESSAGE - 1)}…` : message;
  return {
    id,
    rule,
    environment,
    sink,
    kind,
    place: place.name,
    repository,
    stream,
    event,
    mode,
    ...finding,
    ...(shortened !== undefined && { message: shortened }),
  };
}
