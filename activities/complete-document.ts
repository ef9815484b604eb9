import type { Cue, CueRequest, SecretAttribute } from '../clients/cue/cue.ts';
import { underlay } from '../domain/defaults.ts';
import { originIn, type FoundSecrets, type OriginOf } from '../domain/find-secrets.ts';
import { InvalidInput } from '../domain/problem.ts';
import { fillSecrets, formatSecretReference, parseSecretReference, type SecretReference } from '../domain/secret-reference.ts';
import { formatPath, isMap, nodeAt, originAt, valueOf, type MapNode, type Node, type Origin, type Path, type Value } from '../domain/value.ts';
import type { Part } from './compute-rule.ts';
import type { Recheck } from './stream-state.ts';

/** A document that its schema accepts. Secrets are references still, and what is no reference still has its escapes. */
export interface CompleteDocument {
  readonly value: ReadonlyMap<string, Value>;
  readonly originOf: OriginOf;
  /** Absent where there is no schema or no secret. */
  readonly recheck?: Recheck;
}

/**
 * Validates, and adds what the schema has and the files lack: its defaults, and references of fields with a `@secret(…)` attribute. A reference in a file
 * goes before the attribute's; a plain value there is refused, since it would be the secret itself.
 */
export async function completeDocument(
  tenant: string,
  part: Part,
  document: MapNode,
  found: FoundSecrets,
  content: ReadonlyMap<string, Uint8Array>,
  cue: Cue,
  signal: AbortSignal,
): Promise<CompleteDocument> {
  const value = valueOf(document);
  if (!isMap(value)) throw new InvalidInput([{ message: 'what is selected is not a map', origin: document.origin }]);
  const { schema } = part.rule;
  if (schema === 'none') return { value, originOf: originIn(document) };
  const files = new Map(part.schemaPaths.map((path) => [path, new TextDecoder().decode(content.get(path))]));
  if (!content.has(schema.file)) throw new InvalidInput([{ message: `the commit has no schema ${schema.file}; add it, or say schema: none` }]);
  const request: CueRequest = {
    tenant,
    schema: { files, file: schema.file, ...(schema.definition !== undefined && { definition: schema.definition }) },
    document: found.literal,
    opaque: found.paths,
    rule: part.name,
    defaults: schema.defaults,
  };
  let result = await cue.validate(request, signal);
  if (!result.ok) throw new InvalidInput(result.problems);
  const supplied = suppliedBy(result.secrets, document, found);
  if (supplied.length > 0) {
    // The engine lets an absent secret be anything; put in its place, it has to be what the schema wants there.
    const literal = supplied.reduce((node, { path, text, origin }) => withText(node, path, text, origin), found.literal);
    result = await cue.validate({ ...request, document: literal, opaque: [...found.paths, ...supplied.map(({ path }) => path)] }, signal);
    if (!result.ok) throw new InvalidInput(result.problems);
  }
  const known = supplied.reduce<Node>((node, { path, text, origin }) => withText(node, path, text, origin), document);
  const data = valueOf(known);
  const completed = schema.defaults && result.value !== undefined ? underlay(result.value, data) : data;
  const hidden = [...found.paths, ...supplied.map(({ path }) => path)];
  const recheck: Recheck = async (secretOf, within) => {
    const checked = await cue.validate({ ...request, document: filled(known, secretOf), opaque: [], hidden }, within);
    return checked.ok ? [] : checked.problems;
  };
  const inSchema: Origin = { file: schema.file, line: 1, column: 1 };
  return {
    value: isMap(completed) ? completed : value,
    originOf: (path) => (nodeAt(known, path) ? originAt(known, path) : inSchema),
    ...(hidden.length > 0 && { recheck }),
  };
}

interface Supplied {
  readonly path: Path;
  /** The reference as a file would have it. */
  readonly text: string;
  readonly origin: Origin;
}

function suppliedBy(attributes: readonly SecretAttribute[], document: MapNode, { paths }: FoundSecrets): Supplied[] {
  const problems: { key: string; message: string; origin: Origin }[] = [];
  const seen = new Map<string, string>();
  const referring = new Set(paths.map(formatPath));
  const supplied = attributes.flatMap(({ path, reference, origin }): Supplied[] => {
    const key = formatPath(path);
    const node = nodeAt(document, path);
    const parsed = parseSecretReference(reference);
    const first = seen.get(key);
    if (first === reference) return [];
    seen.set(key, reference);
    if (first !== undefined) problems.push({ key, origin, message: 'the schema names another secret for it, too; leave one @secret behind the field' });
    else if (typeof parsed === 'string')
      problems.push({ key, origin, message: `${parsed}; write @secret(path#field) or @secret(manager:path#field) behind the field` });
    else if (node && !referring.has(key)) {
      const message = `the schema takes it from a secret manager (@secret at ${origin.file}:${origin.line}); remove the value, or write another reference`;
      problems.push({ key, origin: node.origin, message });
    } else if (!node) return [{ path, text: formatSecretReference(parsed), origin }];
    return [];
  });
  if (problems.length > 0) throw new InvalidInput(problems);
  return supplied;
}

/** The document as its sinks will get it. */
function filled(node: Node, secretOf: (reference: SecretReference) => string): Node {
  switch (node.kind) {
    case 'scalar':
      return typeof node.value === 'string' ? { ...node, value: fillSecrets(node.value, secretOf) as string } : node;
    case 'list':
      return { ...node, items: node.items.map((item) => filled(item, secretOf)) };
    case 'map':
      return { ...node, entries: new Map([...node.entries].map(([key, child]) => [key, filled(child, secretOf)])) };
  }
}

/** The node with a text at `path`; maps on the way are made where they are not. */
function withText(node: Node | undefined, path: Path, text: string, origin: Origin): Node {
  const [name, ...rest] = path;
  if (name === undefined) return { kind: 'scalar', value: text, origin };
  if (node?.kind === 'list') return { ...node, items: node.items.map((item, index) => (String(index) === name ? withText(item, rest, text, origin) : item)) };
  const entries = new Map(node?.kind === 'map' ? node.entries : []);
  entries.set(name, withText(entries.get(name), rest, text, origin));
  return { kind: 'map', entries, origin: node?.origin ?? origin };
}
