import type { Cue } from '../clients/cue/cue.ts';
import type { Git } from '../clients/git.ts';
import { matchGlob } from '../clients/glob.ts';
import { checkLimits } from '../clients/formats/document-limits.ts';
import { parseDocument } from '../clients/formats/parse-document.ts';
import type { FilePattern, Rule } from '../domain/bundle.ts';
import { assembleDocument } from '../domain/assemble.ts';
import type { Fingerprint } from '../domain/ledger.ts';
import { InvalidInput, type Problem } from '../domain/problem.ts';
import { expandFile, type RefVariables } from '../domain/routing.ts';
import { findSecrets, locateSecrets, originIn } from '../domain/find-secrets.ts';
import { forbiddenSecrets } from '../domain/forbidden-secrets.ts';
import { valueOf, type MapNode } from '../domain/value.ts';
import type { SinkDefinition } from '../sinks/sink.ts';
import { completeDocument } from './complete-document.ts';
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
  const found = findSecrets(document);
  if (found.problems.length > 0) throw new InvalidInput(found.problems);
  const allowed = request.bundle.tenants[request.tenant]?.secretManagers ?? {};
  const managers = Object.keys(allowed);
  const inFiles = found.paths.length === 0 ? { secrets: [], problems: [] } : locateSecrets(valueOf(document), managers, originIn(document));
  const wrong = [...inFiles.problems, ...forbiddenSecrets(inFiles.secrets, allowed, matchGlob)];
  if (wrong.length > 0) throw new InvalidInput(wrong);
  refuseTooMany(found.paths.length, document);
  const { value, originOf, recheck } = await completeDocument(request.tenant, part, document, found, content, options.cue, signal);
  const { secrets, problems: inSchema } = locateSecrets(value, managers, originOf);
  const refused = [...inSchema, ...forbiddenSecrets(secrets, allowed, matchGlob)];
  if (refused.length > 0) throw new InvalidInput(refused);
  const variables = { ...part.variables, tenant: request.tenant, rule: name, env: environment };
  const targets = renderTargets({ request, rule, variables, document, value, definitions: options.definitions, fingerprint: options.fingerprint });
  const inputs = [...rule.from.files.map(({ pattern }) => expandFile(pattern, environment)), ...(rule.schema === 'none' ? [] : ['**/*.cue'])];
  return { name, rule, environment, targets, secrets, inputs, ...(recheck && rule.constrain === 'value' && { recheck }) };
}

/** Each is a path for the schema's engine to leave out; nobody writes so many by hand. */
const MAX_REFERENCES = 10_000;

function refuseTooMany(references: number, { origin }: MapNode): void {
  if (references <= MAX_REFERENCES) return;
  const message = `${references} of its texts hold secret references, and ${MAX_REFERENCES} may; put what belongs together into one secret`;
  throw new InvalidInput([{ message, origin }]);
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
