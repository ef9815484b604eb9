import type { Rule } from '../domain/bundle.ts';
import { findCollisions, flatten } from '../domain/flatten.ts';
import type { Fingerprint } from '../domain/ledger.ts';
import { digestOf, type RenderedEntry } from '../domain/plan.ts';
import { InvalidInput, type Problem } from '../domain/problem.ts';
import { expandPlace, type PlaceVariables } from '../domain/routing.ts';
import { fillSecrets, holdsSecret } from '../domain/secret-reference.ts';
import { formatPath, originAt, parsePath, type Node, type Value } from '../domain/value.ts';
import { SinkError } from '../sinks/errors.ts';
import type { DestinationFields, Place, SinkDefinition } from '../sinks/sink.ts';
import type { StreamRequest, TargetState } from './stream-state.ts';

export interface RenderInput {
  readonly request: StreamRequest;
  readonly rule: Rule;
  readonly variables: PlaceVariables;
  readonly document: Node;
  /** The document's value, completed with the schema's defaults. */
  readonly value: ReadonlyMap<string, Value>;
  readonly definitions: Readonly<Record<string, SinkDefinition>>;
  readonly fingerprint: Fingerprint;
}

/** Renders the document for each destination. Throws InvalidInput with every key, value or place that a sink cannot take. */
export function renderTargets(input: RenderInput): TargetState[] {
  const leaves = flatten(input.value, input.rule.from.lists);
  const problems: Problem[] = [];
  const targets = input.rule.to.map((_, destination): TargetState | undefined => {
    const found: Problem[] = [];
    const state = renderTarget(input, destination, leaves, found);
    for (const problem of found) problems.push(problem);
    return state;
  });
  if (problems.length > 0) throw new InvalidInput(problems);
  return targets.filter((target) => target !== undefined);
}

function renderTarget(input: RenderInput, index: number, leaves: ReturnType<typeof flatten>, problems: Problem[]): TargetState | undefined {
  const { request, rule, document, definitions, fingerprint } = input;
  const { definition, options, ...target } = placeOf(request, rule, index, input.variables, definitions);
  const { name, fields } = target.place;
  const where = `${target.sink} ${name}`;
  const problem = definition.placeProblem(name, fields, options);
  if (problem) problems.push({ message: `${where}: ${problem}` });

  const entries: RenderedEntry[] = [];
  const secretKeys = new Set<string>();
  for (const leaf of leaves) {
    try {
      const isSecret = holdsSecret(leaf.value);
      const entry = definition.render(isSecret ? leaf : { ...leaf, value: fillSecrets(leaf.value, noSecret) }, fields);
      if (isSecret) secretKeys.add(entry.key);
      entries.push(entry);
    } catch (error) {
      if (!(error instanceof SinkError)) throw error;
      problems.push({ message: `${where}: ${error.message}`, key: formatPath(leaf.path), origin: originAt(document, leaf.path) });
    }
  }
  for (const { key, message } of findCollisions(entries)) {
    problems.push({ message: `${where}: ${message}`, ...(key !== undefined && { key, origin: originAt(document, parsePath(key)) }) });
  }
  const limit = definition.limitProblem(entries, fields);
  if (limit) problems.push({ message: `${where}: ${limit}` });
  return { ...target, kind: definition.kind, entries, secretKeys, digest: digestOf(entries, fingerprint), retired: false };
}

function noSecret(): never {
  throw new TypeError('a value without secrets has one');
}

/** Where a destination writes, with all that the bundle says of it. */
export function placeOf(
  request: StreamRequest,
  rule: Rule,
  index: number,
  variables: PlaceVariables,
  definitions: Readonly<Record<string, SinkDefinition>>,
): Pick<TargetState, 'destination' | 'sink' | 'capabilities'> & {
  readonly place: Place<DestinationFields>;
  readonly definition: SinkDefinition;
  readonly options: unknown;
} {
  const destination = rule.to[index];
  const connection = destination && request.bundle.tenants[request.tenant]?.sinks[destination.sink];
  const definition = connection && definitions[connection.kind];
  const capabilities = destination && definition?.layouts[destination.layout];
  if (!destination || !definition || !capabilities) throw new TypeError(`destination ${index} passed the bundle's check and cannot be resolved`);
  const fields = destination.fields as DestinationFields;
  const place = { name: expandPlace(destination, variables), layout: destination.layout, fields };
  return { destination: index, sink: destination.sink, capabilities, place, definition, options: connection.options };
}
