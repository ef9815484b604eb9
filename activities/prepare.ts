import pLimit from 'p-limit';
import { CredentialError } from '../clients/credentials.ts';
import { GitError } from '../clients/git.ts';
import { InvalidInput, formatProblem } from '../domain/problem.ts';
import { bounded } from '../domain/status.ts';
import { refNameOf } from '../domain/stream-head.ts';
import { SinkError } from '../sinks/errors.ts';
import type { Prepared, PreparedRule, PreparedTarget, PrepareInput } from './activity-types.ts';
import { assessTarget } from './assess-target.ts';
import { attempt } from './attempt.ts';
import { repositoryOf } from './compute-stream.ts';
import type { ActivityDeps } from './deps.ts';
import type { RuleState, StreamState } from './desired-state.ts';
import { parkedMessage } from './pause.ts';
import type { TargetState } from './render-targets.ts';

/** Sinks asked at the same time by one run. */
const READS_AT_ONCE = 16;

/** Fetches the head, validates every rule of the stream, and compares with what every target holds now. Writes nothing (I1). */
export async function prepare(deps: ActivityDeps, input: PrepareInput): Promise<Prepared> {
  return attempt(`${input.repository}/${input.stream}`, async ({ signal }) => prepareStream(deps, input, signal));
}

async function prepareStream(deps: ActivityDeps, input: PrepareInput, signal: AbortSignal): Promise<Prepared> {
  const pausing = deps.pauseOf(input.tenant);
  const bundle = deps.bundle();
  const { tenant, repository: repositoryName, request } = input;
  let commit: string | undefined;
  try {
    const repository = repositoryOf({ bundle, tenant, repository: repositoryName });
    const [pause, fetched] = await Promise.all([pausing, deps.git.fetch(repository, refNameOf(repository.provider, request.ref), signal)]);
    if (pause) return { kind: 'parked', why: parkedMessage(pause) };
    commit = fetched.commit;
    const state = await deps.desired.compute({ bundle, tenant, repository: repositoryName, event: request.ref, commit }, signal);
    if (state.rules.length === 0) return { kind: 'nothing', commit, why: state.unrouted.join('; ') || 'no rule takes this ref' };
    return await compare(deps, input, state, signal);
  } catch (error) {
    // A paused tenant parks also while Git does not answer.
    const pause = await pausing;
    if (pause) return { kind: 'parked', why: parkedMessage(pause) };
    const at = commit === undefined ? {} : { commit };
    if (error instanceof InvalidInput) return { kind: 'rejected', ...at, problems: bounded(error.problems.map(formatProblem)) };
    if (error instanceof CredentialError) return { kind: 'rejected', ...at, problems: [error.message] };
    if (error instanceof GitError) {
      // A forge says "not found" of a repository that the credential may not see, too.
      if (error.reason === 'not-found' && error.missing === 'revision') return { kind: 'nothing', why: error.message };
      if (error.reason === 'not-found' || error.reason === 'unauthorized' || error.reason === 'rejected')
        return { kind: 'rejected', ...at, problems: [error.message] };
    }
    throw error;
  }
}

async function compare(deps: ActivityDeps, input: PrepareInput, state: StreamState, signal: AbortSignal): Promise<Prepared> {
  const limit = pLimit(READS_AT_ONCE);
  const problems: string[] = [];
  const holds: string[] = [];
  const rules = await Promise.all(
    state.rules.map(async (rule): Promise<PreparedRule> => {
      const targets = await Promise.all(
        rule.targets.map((target) =>
          limit(async (): Promise<PreparedTarget> => {
            const change = await changeOf(deps, input, state, rule, target, signal, problems, holds);
            const { destination, sink, kind, place, digest } = target;
            return {
              rule: rule.name,
              environment: rule.environment,
              destination,
              sink,
              kind,
              place: place.name,
              layout: place.layout,
              fields: place.fields,
              digest,
              change,
            };
          }),
        ),
      );
      return { rule: rule.name, environment: rule.environment, onFailure: rule.rule.onFailure, timeoutMs: rule.rule.timeoutMs, targets };
    }),
  );
  if (problems.length > 0) return { kind: 'rejected', commit: state.commit, problems: bounded(problems) };
  if (holds.length > 0) return { kind: 'held', commit: state.commit, problems: bounded(holds) };
  return { kind: 'ready', commit: state.commit, rules };
}

async function changeOf(
  deps: ActivityDeps,
  input: PrepareInput,
  state: StreamState,
  rule: RuleState,
  target: TargetState,
  signal: AbortSignal,
  problems: string[],
  holds: string[],
): Promise<PreparedTarget['change']> {
  const { tenant, repository, stream, request } = input;
  const bundle = deps.bundle();
  // A sink's own errors name the place; what is said of its content here does not.
  const where = `rule ${rule.name}: ${target.sink}`;
  try {
    const sink = await deps.sinks.get(bundle, tenant, target.sink);
    const live = await sink.read(target.place, { signal, keys: target.entries.map((entry) => entry.key), fingerprint: deps.fingerprint });
    const plan = await assessTarget(
      {
        bundle,
        tenant,
        repository,
        stream,
        commit: state.commit,
        rule,
        target,
        deletesAllowed: request.deletesAllowed === true,
        write: 'prepare',
        at: deps.now(),
        fingerprint: deps.fingerprint,
        inputsMoved: (from) => deps.git.touched(repositoryOf({ bundle, tenant, repository }), from, state.commit, rule.inputs, signal),
      },
      live,
    );
    if (plan.kind === 'held') holds.push(...plan.holds.map((hold) => `${where} ${target.place.name}: ${hold.message}`));
    return plan.kind === 'unchanged' ? 'unchanged' : 'write';
  } catch (error) {
    if (error instanceof CredentialError) {
      problems.push(`${where}: ${error.message}`);
      return 'unchecked';
    }
    if (!(error instanceof SinkError)) throw error;
    if (error.reason === 'unauthorized') deps.sinks.drop(tenant, target.sink);
    // What may pass is the write's to retry; what will not is told now, before anything is written. Under `continue` it must not stop the others.
    const passing = error.reason === 'unavailable' || error.reason === 'throttled' || error.reason === 'conflict';
    if (!passing && rule.rule.onFailure !== 'continue') problems.push(`${where}: ${error.message}`);
    return 'unchecked';
  }
}
