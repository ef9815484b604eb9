import type { CheckedTarget } from '../domain/drift.ts';
import { driftOf, type Drift } from '../domain/drift-of.ts';
import { formatOwner, sameOwner, type Ledger, type Owner } from '../domain/ledger.ts';
import type { HeldPlan, LiveState, Plan, WritePlan } from '../domain/plan.ts';
import { formatProblem, InvalidInput } from '../domain/problem.ts';
import { GitError } from '../clients/git.ts';
import type { Bundle } from '../domain/bundle.ts';
import { assessTarget } from './assess-target.ts';
import { isApplied, isWell, newsOf, type SurveyedStream } from './check-heads.ts';
import type { SecretPath } from './check-memory.ts';
import type { ActivityDeps } from './deps.ts';
import { liveDigest } from './live-digest.ts';
import { lookAtTarget } from './look-at-target.ts';
import { maskSecrets } from './mask-secrets.ts';
import type { OutlinedTarget } from './outline-stream.ts';
import { keysOf, repositoryOf, type RuleState, type StreamState, type TargetState } from './stream-state.ts';

/** One target, and what its check works with. */
export interface Judging {
  readonly deps: Pick<ActivityDeps, 'bundle' | 'git' | 'sinks' | 'desired' | 'fingerprint' | 'now'>;
  readonly bundle: Bundle;
  readonly tenant: string;
  readonly repository: string;
  readonly outlined: OutlinedTarget;
  /** The one that feeds it, as its ledger says; else one that may. */
  readonly stream: SurveyedStream;
  /** The desired state of a stream at a commit, computed once for all of its targets. */
  readonly stateOf: (repository: string, stream: SurveyedStream, commit: string) => Promise<StreamState>;
  readonly signal: AbortSignal;
}

/** A judging by the ledger, which owns something. */
export interface LedgerJudging extends Judging {
  readonly live: LiveState;
  readonly ledger: Ledger;
}

/** What is found at a place, beside the names of its target. */
export type Finding = Pick<CheckedTarget, 'status' | 'commit' | 'remedy' | 'keys' | 'moreKeys' | 'digest' | 'message'>;

export interface Judged {
  readonly finding: Finding;
  readonly secrets: readonly SecretPath[];
}

/** Nothing is known to be applied; an empty ledger is what an undo leaves. */
export async function judgeWithoutLedger(judging: Judging): Promise<Judged> {
  const { repository, outlined, stream, deps, tenant, signal } = judging;
  const { head } = stream;
  if (head === undefined || !isApplied(stream)) {
    const news = newsOf(repository, stream);
    const message =
      head === undefined ? 'nothing is applied, and its head is not known now' : `nothing is applied so far${news?.message ? `: ${news.message}` : ''}`;
    return { finding: { status: 'Pending', message }, secrets: [] };
  }
  const located = locate(await judging.stateOf(repository, stream, head), outlined);
  if (!located) return { finding: { status: 'Pending', message: 'the head of its stream has nothing for it' }, secrets: [] };
  const { rule, target } = located;
  const request = { tenant, repository, stream: stream.stream, commit: head, rule, target, deletesAllowed: false, mends: false };
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

/** Compares with the commit of the ledger. */
export async function judgeByLedger(judging: LedgerJudging): Promise<Judged> {
  const { repository, outlined, stream, deps, bundle, tenant, ledger, signal } = judging;
  const { fingerprint } = deps;
  if (isOfAnother(judging, ledger.owner)) {
    const message = `it belongs to ${formatOwner(ledger.owner)} at commit ${ledger.commit.slice(0, 12)}; let one rule write it, or remove the other rule first`;
    return { finding: { status: 'Pending', message }, secrets: [] };
  }
  if (!ledger.stream.startsWith(`${repository}/`)) return atHead(judging, `its ledger is of ${ledger.stream}, which does not feed it any more`);
  let state: StreamState;
  try {
    state = await judging.stateOf(repository, stream, ledger.commit);
  } catch (error) {
    const why = outdated(error, ledger.commit);
    if (why === null) throw error;
    return atHead(judging, why);
  }
  const located = locate(state, outlined);
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
    live = await sink.read(outlined.place, { signal, keys: keysOf(target), fingerprint });
    if (live.ledger?.write !== ledger.write || live.ledger.generation !== ledger.generation) return { finding: { status: 'Syncing' }, secrets };
  }
  const masked = maskSecrets(target, live, ledger, fingerprint);
  const plan = await assessTarget(
    {
      bundle,
      tenant,
      repository,
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

function findingOf({ repository, outlined, stream, tenant }: Judging, plan: Plan, { live, ledger, target, fingerprint }: Evidence): Finding {
  const fine: Finding = { status: [...live.entries.values()].includes(null) ? 'Unverifiable' : 'InSync' };
  if (plan.kind === 'unchanged') return fine;
  const drift = driftOf(plan, target.entries, live, fingerprint);
  if (plan.kind === 'held') return heldFinding(plan, drift);
  const isOurs = sameOwner(ledger.owner, { tenant, rule: outlined.rule, environment: outlined.environment });
  const differs = plan.puts.length + plan.deletes.length + plan.adopted.length > 0;
  if (!differs && !isOurs) return { status: 'Pending', message: `it is as ${formatOwner(ledger.owner)} left it; the next run takes it over` };
  // Its ledger knows keys that somebody removed and Git does not want either: nothing to mend, and the next write forgets them.
  if (!differs && ledger.state === 'committed' && live.corrupt === undefined) return fine;
  const isKnown = isOurs && ledger.stream === `${repository}/${stream.stream}`;
  const message = messageOf(plan, ledger, live);
  return { status: 'Drifted', remedy: isKnown ? 'heal' : 'sync', ...drift, ...(message !== undefined && { message }) };
}

function messageOf({ puts, deletes, adopted }: WritePlan, ledger: Ledger, { corrupt }: LiveState): string | undefined {
  if (ledger.state === 'intent') return 'a write was left half-done, and no run goes on with it';
  if (corrupt !== undefined) return `it ${corrupt}`;
  if (puts.length + deletes.length === 0) return `its ledger lost ${adopted.length} of its keys`;
  return undefined;
}

function heldFinding({ holds }: HeldPlan, drift: Drift): Finding {
  const message = holds.map((hold) => hold.message).join('; ');
  if (holds.some(({ reason }) => reason === 'owned-by-other')) return { status: 'Pending', message };
  return { status: 'Drifted', ...drift, message: `no heal without a person: ${message}` };
}

/** The ledger cannot say what belongs there, so the head of the stream has to; unless a run has tried just that, and what stopped it is told of the stream. */
function atHead({ repository, stream, deps, ledger, live }: LedgerJudging, why: string, secrets: readonly SecretPath[] = []): Judged {
  const news = newsOf(repository, stream);
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
async function isBehind({ repository: name, stream, deps, bundle, tenant, ledger, signal }: LedgerJudging, rule: RuleState): Promise<boolean> {
  const last = stream.runs?.last;
  if (!last?.commit || last.commit === ledger.commit || !isWell(last) || ledger.stream !== `${name}/${stream.stream}`) return false;
  const repository = repositoryOf({ bundle, tenant, repository: name });
  if ((await deps.git.isAncestor(repository, ledger.commit, last.commit, signal)) !== 'yes') return false;
  return deps.git.touched(repository, ledger.commit, last.commit, rule.inputs, signal);
}

/** Whether it is no former self of ours: what the bundle does not have any more may be taken over, as the plan says. */
function isOfAnother({ bundle, tenant, outlined }: Judging, owner: Owner): boolean {
  return owner.tenant !== tenant || (owner.rule !== outlined.rule && Object.hasOwn(bundle.tenants[tenant]?.rules ?? {}, owner.rule));
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

/** An empty ledger orders writers and says nothing of what belongs there. */
export function ownsAnything(ledger: Ledger | null): ledger is Ledger {
  return ledger !== null && Object.keys(ledger.keys).length > 0;
}
