import { LRUCache } from 'lru-cache';
import type { Bundle } from '../domain/bundle.ts';
import type { SecretReference } from '../domain/secret-reference.ts';
import type { ComputeOptions } from './compute-rule.ts';
import { computeStream } from './compute-stream.ts';
import { outlineStream, type OutlinedTarget } from './outline-stream.ts';
import { retiredState } from './retired-state.ts';
import { revealTarget } from './reveal-target.ts';
import { repositoryOf, type StreamRequest, type StreamState, type TargetState } from './stream-state.ts';

/** Computes desired states, and keeps the last ones: `prepare` validates, and the writes of the same run on the same worker use what it found. */
export interface DesiredStates {
  /** Reads and validates anew. Throws InvalidInput with every problem of every rule that is asked for. */
  compute(request: StreamRequest, signal: AbortSignal): Promise<StreamState>;
  /** What `compute` gave for the same request, or one for more rules, or computes it. */
  recall(request: StreamRequest, signal: AbortSignal): Promise<StreamState>;
  /** The targets of a stream without what belongs there; `heads` are all refs of the remote. Throws GitError where the tree of the commit is needed. */
  outline(request: StreamRequest, heads: ReadonlyMap<string, string>, signal: AbortSignal): Promise<readonly OutlinedTarget[]>;
  /** The target with the values of its secrets; it is not kept. Throws SinkError where the sink cannot take one. */
  reveal(target: TargetState, secretOf: (reference: SecretReference) => string): TargetState;
}

export interface DesiredStateOptions extends ComputeOptions {
  /** Texts kept, in characters over all states. */
  readonly maxKept?: number;
}

/** Entries of trees, which say what environments there are. */
const ENTRIES_KEPT = 200_000;

export function createDesiredStates(options: DesiredStateOptions): DesiredStates {
  const kept = new LRUCache<string, StreamState>({ maxSize: options.maxKept ?? 64 * 1024 * 1024, sizeCalculation: sizeOf, ttl: 15 * 60_000 });

  const trees = new LRUCache<string, readonly string[]>({ maxSize: ENTRIES_KEPT, sizeCalculation: (paths) => 1 + paths.length });

  async function treeOf(request: StreamRequest, signal: AbortSignal): Promise<readonly string[]> {
    const repository = repositoryOf(request);
    const key = `${request.commit} ${repository.url}`;
    const known = trees.get(key);
    if (known) return known;
    const snapshot = await options.git.open(repository, request.commit, signal);
    const paths = (await snapshot.list(signal)).map(({ path }) => path);
    trees.set(key, paths);
    return paths;
  }

  async function compute(request: StreamRequest, signal: AbortSignal): Promise<StreamState> {
    const state = request.retired ? retiredState(request, options) : await computeStream(request, options, signal);
    if (!request.rules) kept.set(keyOf(request), state);
    else for (const rule of request.rules) kept.set(keyOf(request, rule), { ...state, rules: state.rules.filter(({ name }) => name === rule) });
    return state;
  }

  function recalled(request: StreamRequest): StreamState | undefined {
    const whole = kept.get(keyOf(request));
    if (whole || !request.rules) return whole;
    const parts = request.rules.map((rule) => kept.get(keyOf(request, rule)));
    const [first] = parts;
    if (!first || !parts.every((part) => part !== undefined)) return undefined;
    return { ...first, rules: parts.flatMap((part) => part.rules) };
  }

  return {
    compute,
    recall: async (request, signal) => recalled(request) ?? compute(request, signal),
    outline: (request, heads, signal) => outlineStream(request, { definitions: options.definitions, heads, tree: () => treeOf(request, signal) }),
    reveal(target, secretOf) {
      const definition = options.definitions[target.kind];
      if (!definition) throw new TypeError(`no sink of kind ${target.kind}`);
      return revealTarget(target, definition, secretOf);
    },
  };
}

/** Tells bundles apart within the process: a reload makes a new object. */
const versions = new WeakMap<Bundle, number>();
let newest = 0;

function versionOf(bundle: Bundle): number {
  const known = versions.get(bundle);
  if (known !== undefined) return known;
  versions.set(bundle, ++newest);
  return newest;
}

/** Of the whole stream, or of one of its rules. */
function keyOf({ bundle, retired, tenant, repository, event, commit }: StreamRequest, rule?: string): string {
  return JSON.stringify([versionOf(bundle), retired, tenant, repository, event, commit, ...(rule === undefined ? [] : [rule])]);
}

function sizeOf(state: StreamState): number {
  const targets = state.rules.flatMap((rule) => rule.targets);
  return 1 + targets.reduce((sum, target) => sum + target.entries.reduce((size, entry) => size + entry.key.length + 2 * entry.text.length, 100), 0);
}
