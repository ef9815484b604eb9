import { CredentialError } from '../clients/credentials.ts';
import { SecretError } from '../clients/vault/secret-error.ts';
import type { LiveState, Plan } from '../domain/plan.ts';
import { SinkError } from '../sinks/errors.ts';
import { assessTarget } from './assess-target.ts';
import type { ActivityDeps } from './deps.ts';
import { keysOf, repositoryOf, type RuleState, type TargetState } from './stream-state.ts';

export interface LookRequest {
  readonly tenant: string;
  readonly repository: string;
  readonly stream: string;
  readonly commit: string;
  readonly rule: RuleState;
  readonly target: TargetState;
  readonly deletesAllowed: boolean;
  readonly mends: boolean;
}

export type Look =
  | { readonly kind: 'seen'; readonly live: LiveState; readonly plan: Plan }
  /** `passing`: trying again may help; `final`: the sink will say the same; `credential`: it was not even asked. */
  | { readonly kind: 'unseen'; readonly why: 'passing' | 'final' | 'credential'; readonly message: string };

/** A fresh read of one target, and what Git would change there. Writes nothing. Secrets that are there are taken to be right: only the write knows them. */
export async function lookAtTarget(
  deps: Pick<ActivityDeps, 'bundle' | 'git' | 'sinks' | 'fingerprint' | 'now'>,
  request: LookRequest,
  signal: AbortSignal,
): Promise<Look> {
  const { tenant, repository, commit, rule, target } = request;
  const bundle = deps.bundle();
  const { fingerprint } = deps;
  // A sink's own errors name the place; what is said of its content elsewhere does not.
  const where = `rule ${rule.name}: ${target.sink}`;
  try {
    const sink = await deps.sinks.get(bundle, tenant, target.sink);
    const live = await sink.read(target.place, { signal, keys: keysOf(target), fingerprint });
    const assumed = { ...request, target: assumeSecrets(target, live) };
    const inputsMoved = (from: string): Promise<boolean> => deps.git.touched(repositoryOf({ bundle, tenant, repository }), from, commit, rule.inputs, signal);
    const plan = await assessTarget({ ...assumed, bundle, write: 'prepare', at: deps.now(), fingerprint, inputsMoved }, live);
    return { kind: 'seen', live, plan };
  } catch (error) {
    if (error instanceof SecretError) return { kind: 'unseen', why: error.retryable ? 'passing' : 'credential', message: `${where}: ${error.message}` };
    if (error instanceof CredentialError) return { kind: 'unseen', why: 'credential', message: `${where}: ${error.message}` };
    if (!(error instanceof SinkError)) throw error;
    if (error.reason === 'unauthorized') deps.sinks.drop(tenant, target.sink);
    const passing = error.reason === 'unavailable' || error.reason === 'throttled' || error.reason === 'conflict';
    return { kind: 'unseen', why: passing ? 'passing' : 'final', message: `${where}: ${error.message}` };
  }
}

function assumeSecrets(target: TargetState, live: LiveState): TargetState {
  if (target.secretKeys.size === 0) return target;
  const entries = target.entries.map((entry) => (target.secretKeys.has(entry.key) ? { ...entry, text: live.entries.get(entry.key) ?? entry.text } : entry));
  return { ...target, entries };
}
