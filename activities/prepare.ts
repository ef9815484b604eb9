import { matchGlob } from '../clients/glob.ts';
import type { Repository } from '../domain/bundle.ts';
import { targetId } from '../domain/drift.ts';
import { InvalidInput } from '../domain/problem.ts';
import { rulesOf } from '../domain/routing.ts';
import { newestTag, NO_COMMIT, refNameOf, TAG_STREAM } from '../domain/stream-head.ts';
import type { SyncRequest } from '../workflows/messages.ts';
import type { Prepared, PrepareInput } from './activity-types.ts';
import { attempt, type Attempt } from './attempt.ts';
import { compareTargets } from './compare-targets.ts';
import { isNamedByRef } from './compute-stream.ts';
import { constrainSecrets } from './constrain-secrets.ts';
import type { ActivityDeps } from './deps.ts';
import { freezeAt, freezeOf, frozenMessage, frozenWords } from './freeze.ts';
import { parkedMessage } from './pause.ts';
import { pinSecrets } from './pin-secrets.ts';
import { refusalOf } from './refusal-of.ts';
import { repositoryOf, type StreamState } from './stream-state.ts';

/** Fetches the head, validates every rule of the stream, and compares with what every target holds now. Writes nothing (I1). */
export async function prepare(deps: ActivityDeps, input: PrepareInput): Promise<Prepared> {
  return attempt(`${input.repository}/${input.stream}`, async (own) => prepareStream(deps, input, own));
}

async function prepareStream(deps: ActivityDeps, input: PrepareInput, own: Attempt): Promise<Prepared> {
  const { signal } = own;
  const pausing = deps.pauseOf(input.tenant);
  const bundle = deps.bundle();
  const { tenant, repository: repositoryName, request } = input;
  let commit: string | undefined;
  const freeze = freezeOf(bundle, tenant, deps.now());
  if (freeze && !request.force) {
    const pause = await pausing;
    return { kind: 'parked', why: pause ? parkedMessage(pause) : frozenMessage(freeze) };
  }
  try {
    const repository = repositoryOf({ bundle, tenant, repository: repositoryName });
    const retired = request.trigger === 'closed';
    const head = retired ? { commit: request.commit ?? NO_COMMIT } : (healed(request) ?? fetchHead(deps, repository, input, signal));
    const [pause, fetched] = await Promise.all([pausing, head]);
    if (pause) return { kind: 'parked', why: parkedMessage(pause) };
    commit = fetched.commit;
    const rules = request.only && [...new Set(request.only.map(ruleOf))];
    const asked = { bundle, tenant, repository: repositoryName, event: request.ref, commit, retired, ...(rules && { rules }) };
    const state = narrowed(await deps.desired.compute(asked, signal), request.only);
    if (request.only && state.rules.length === 0) return { kind: 'nothing', commit, why: 'none of its targets is in the bundle any more' };
    if (state.rules.length === 0) return { kind: 'nothing', commit, why: state.unrouted.join('; ') || 'no rule takes this ref' };
    const pins = await pinSecrets(deps.secrets, tenant, state.rules, signal);
    await constrainSecrets(deps.secrets, tenant, pins, own);
    return parkFrozen(deps, input, await compareTargets(deps, input, state, pins, signal));
  } catch (error) {
    // A paused tenant parks also while Git does not answer.
    const pause = await pausing;
    if (pause) return { kind: 'parked', why: parkedMessage(pause) };
    const refusal = refusalOf(error, commit);
    if (refusal) return refusal;
    throw error;
  }
}

/** A run changes its rules together or not at all: while one is frozen that has something to write, none is written. */
function parkFrozen(deps: ActivityDeps, { tenant, request }: PrepareInput, prepared: Prepared): Prepared {
  if (prepared.kind !== 'ready') return prepared;
  const writing = prepared.rules.filter(({ targets }) => targets.some(({ change }) => change !== 'unchanged'));
  const [bundle, at] = [deps.bundle(), deps.now()];
  const [frozen] = writing.flatMap(({ rule }) => freezeAt(bundle, tenant, rule, at) ?? []);
  if (frozen === undefined) return prepared;
  if (request.force) return { ...prepared, forced: `forced by ${request.by ?? 'somebody'} while ${frozenWords(frozen)}` };
  return { kind: 'parked', why: frozenMessage(frozen) };
}

/** The commit that a heal works at: what its targets were written at, wherever the stream is now. */
function healed({ only, commit }: SyncRequest): { readonly commit: string } | null {
  if (only === undefined) return null;
  if (commit === undefined) throw new InvalidInput([{ message: 'a request for single targets says no commit' }]);
  return { commit };
}

/** The rule of a target, by its id. */
function ruleOf(id: string): string {
  return id.replace(/\/.*$/s, '');
}

/** The part of a stream that a heal is about. */
function narrowed(state: StreamState, only: readonly string[] | undefined): StreamState {
  if (only === undefined) return state;
  const wanted = new Set(only);
  const rules = state.rules.map((rule) => {
    const { name, environment } = rule;
    return { ...rule, targets: rule.targets.filter(({ destination }) => wanted.has(targetId({ rule: name, environment, destination }))) };
  });
  return { ...state, rules: rules.filter(({ targets }) => targets.length > 0) };
}

/**
 * The head of the stream. Of a stream of tags that is the newest one, whichever tag the request is about: two tags that are pushed at once are told in
 * any order. Where tags name their environments or places, each is a head of its own.
 */
async function fetchHead(deps: ActivityDeps, repository: Repository, input: PrepareInput, signal: AbortSignal): Promise<{ readonly commit: string }> {
  const { stream, request } = input;
  const own = refNameOf(repository.provider, request.ref);
  const tenant = deps.bundle().tenants[input.tenant];
  if (!stream.startsWith(TAG_STREAM) || !tenant || Object.values(rulesOf(tenant, input.repository)).some(isNamedByRef)) {
    return deps.git.fetch(repository, own, signal);
  }
  const newest = newestTag(stream.slice(TAG_STREAM.length), await deps.git.heads(repository, signal), matchGlob);
  return deps.git.fetch(repository, newest === undefined ? own : `refs/tags/${newest}`, signal);
}
