import type { Cue } from '../clients/cue/cue.ts';
import type { Git } from '../clients/git.ts';
import { checkLimits } from '../clients/formats/document-limits.ts';
import { parseDocument } from '../clients/formats/parse-document.ts';
import type { FilePattern, Rule } from '../domain/bundle.ts';
import { underlay } from '../domain/defaults.ts';
import { assembleDocument } from '../domain/assemble.ts';
import type { Fingerprint } from '../domain/ledger.ts';
import { InvalidInput, type Problem } from '../domain/problem.ts';
import { expandFile, type RefVariables } from '../domain/routing.ts';
import { findSecrets, SECRETS_UNAVAILABLE } from '../domain/secret-reference.ts';
import { isMap, valueOf, type MapNode, type Value } from '../domain/value.ts';
import type { SinkDefinition } from '../sinks/sink.ts';
import { renderTargets } from './render-targets.ts';
import type { RuleState, StreamRequest } from './stream-state.ts';

/** What validation works with. */
export interface ComputeOptions {
  readonly git: Git;
  readonly cue: Cue;
  readonly fingerprint: Fingerprint;
  readonly definitions: Readonly<Record<string, SinkDefinition>>;
}

/** One rule in one environment, before its files are read. */
export interface Part {
  readonly name: string;
  readonly rule: Rule;
  readonly environment: string;
  readonly variables: RefVariables;
  readonly declared: ReadonlySet<string>;
  readonly files: readonly { readonly pattern: FilePattern; readonly paths: readonly string[] }[];
  readonly schemaPaths: readonly string[];
}

type Parse = (path: string, pattern: FilePattern) => MapNode | undefined;

/** A file that several rules use is parsed once; its problems come back for each of them. */
export function parseOnce(content: ReadonlyMap<string, Uint8Array>): Parse {
  const parsed = new Map<string, MapNode>();
  return (path, pattern) => {
    const bytes = content.get(path);
    if (!bytes) return undefined;
    const key = `${pattern.format ?? ''}:${path}`;
    const node = parsed.get(key) ?? parseDocument(bytes, path, pattern.format ? { format: pattern.format } : {});
    parsed.set(key, node);
    return node;
  };
}

/** The desired state of one rule in one environment: parse, merge, validate, render. Throws InvalidInput with all that is wrong at the step that refused it. */
export async function computeRule(
  request: StreamRequest,
  part: Part,
  parse: Parse,
  content: ReadonlyMap<string, Uint8Array>,
  options: ComputeOptions,
  signal: AbortSignal,
): Promise<RuleState> {
  const { name, rule, environment } = part;
  const problems: Problem[] = [];
  const groups = await Promise.all(
    part.files.map(async ({ pattern, paths }) => ({
      pattern: expandFile(pattern.pattern, environment),
      optional: pattern.optional,
      nodes: (await Promise.all(paths.map((path) => collect(problems, () => parse(path, pattern))))).filter((node) => node !== undefined),
    })),
  );
  if (problems.length > 0) throw new InvalidInput(problems);
  const document = assembleDocument({
    groups,
    environment,
    declared: part.declared,
    blocks: rule.from.blocks,
    ...(rule.from.select !== undefined && { select: rule.from.select }),
  });
  // Many files that each keep within the limits need not do so together.
  checkLimits(document);
  const secrets = findSecrets(document);
  if (secrets.length > 0) throw new InvalidInput(secrets);
  const value = await validate(request.tenant, part, document, content, options.cue, signal);
  const variables = { ...part.variables, tenant: request.tenant, rule: name, env: environment };
  const targets = renderTargets({ request, rule, variables, document, value, definitions: options.definitions, fingerprint: options.fingerprint });
  const inputs = [...rule.from.files.map(({ pattern }) => expandFile(pattern, environment)), ...(rule.schema === 'none' ? [] : ['**/*.cue'])];
  return { name, rule, environment, targets, inputs };
}

async function validate(
  tenant: string,
  part: Part,
  document: MapNode,
  content: ReadonlyMap<string, Uint8Array>,
  cue: Cue,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Value>> {
  const value = valueOf(document);
  if (!isMap(value)) throw new InvalidInput([{ message: 'what is selected is not a map', origin: document.origin }]);
  const { schema } = part.rule;
  if (schema === 'none') return value;
  const files = new Map(part.schemaPaths.map((path) => [path, new TextDecoder().decode(content.get(path))]));
  if (!content.has(schema.file)) throw new InvalidInput([{ message: `the commit has no schema ${schema.file}; add it, or say schema: none` }]);
  const request = { files, file: schema.file, ...(schema.definition !== undefined && { definition: schema.definition }) };
  const result = await cue.validate({ tenant, schema: request, document, rule: part.name, defaults: schema.defaults }, signal);
  if (!result.ok) throw new InvalidInput(result.problems);
  if (result.secrets.length > 0) throw new InvalidInput(result.secrets.map(({ origin }) => ({ origin, message: SECRETS_UNAVAILABLE })));
  if (!schema.defaults || result.value === undefined) return value;
  const completed = underlay(result.value, value);
  return isMap(completed) ? completed : value;
}

/** Runs `act`, and collects what it refuses. */
export async function collect<T>(problems: Problem[], act: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    // One by one: as arguments of one call hundreds of thousands overflow the stack.
    for (const problem of error.problems) problems.push(problem);
    return undefined;
  }
}
