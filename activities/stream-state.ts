import type { Bundle, Repository, Rule } from '../domain/bundle.ts';
import type { LocatedSecret } from '../domain/find-secrets.ts';
import type { RenderedEntry } from '../domain/plan.ts';
import { InvalidInput, type Problem } from '../domain/problem.ts';
import type { RefEvent } from '../domain/routing.ts';
import type { SecretReference } from '../domain/secret-reference.ts';
import type { Capabilities, Place } from '../sinks/sink.ts';

/** What one commit asks of every target of one stream, validated. */
export interface StreamState {
  readonly commit: string;
  readonly rules: readonly RuleState[];
  /** Why rules of the repository take no part. */
  readonly unrouted: readonly string[];
}

export interface RuleState {
  readonly name: string;
  readonly rule: Rule;
  readonly environment: string;
  readonly targets: readonly TargetState[];
  /** Asks the schema again with the values of the secrets, where the rule says `constrain: value`. No problem quotes one. */
  readonly recheck?: Recheck;
  /** Every secret reference of the desired state. */
  readonly secrets: readonly LocatedSecret[];
  /** Patterns of the paths that the desired state depends on. */
  readonly inputs: readonly string[];
}

export type Recheck = (secretOf: (reference: SecretReference) => string, signal: AbortSignal) => Promise<readonly Problem[]>;

export interface StreamRequest {
  /** Whether the targets of the stream are given up: its pull request was closed. */
  readonly retired: boolean;
  readonly bundle: Bundle;
  readonly tenant: string;
  readonly repository: string;
  readonly event: RefEvent;
  readonly commit: string;
  /** Names of the only ones that are asked for; all rules of the stream unless given. */
  readonly rules?: readonly string[];
}

/** The desired state of one target, in the sink's own keys and texts. */
export interface TargetState {
  /** Index of the destination in its rule. */
  readonly destination: number;
  readonly sink: string;
  readonly kind: string;
  readonly place: Place;
  readonly capabilities: Capabilities;
  readonly entries: readonly RenderedEntry[];
  /** Keys of the entries that hold a secret: their texts have references, and the values come with the write (I8). */
  readonly secretKeys: ReadonlySet<string>;
  readonly digest: string;
  /** Whether the target is given up: what is owned there is to be removed. */
  readonly retired: boolean;
}

/** What a sink is told of the target besides its place. */
export function keysOf(target: TargetState): readonly string[] {
  return target.entries.map((entry) => entry.key);
}

/** Throws InvalidInput for one that the bundle does not have (any more). */
export function repositoryOf(request: Pick<StreamRequest, 'bundle' | 'tenant' | 'repository'>): Repository {
  const found = request.bundle.tenants[request.tenant]?.repositories[request.repository];
  if (!found) throw new InvalidInput([{ message: `tenant ${request.tenant} has no repository ${request.repository} in the bundle` }]);
  return found;
}
