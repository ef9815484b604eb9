import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import type { Bundle } from '../domain/bundle.ts';
import { checkBundle } from '../domain/bundle-checks.ts';
import { freezeProblems } from '../domain/freeze.ts';
import { InvalidInput, type Problem } from '../domain/problem.ts';
import type { PlaceRules } from '../domain/target-checks.ts';
import { formatPath, parsePath } from '../domain/value.ts';
import { bindVaultReferences } from '../domain/vault-references.ts';
import { createBundleSchema } from '../schemas/bundle.ts';
import { explainIssue, splitIssue } from '../schemas/explain-issue.ts';
import type { SinkSchema } from '../schemas/sink-schemas.ts';
import { readBundleDocument, type BundleDocument } from './bundle-document.ts';
import { cronProblem } from './cron.ts';
import { matchGlob } from './glob.ts';
import { withoutBroken } from './sound-part.ts';

/** The kinds of sinks that a bundle may name; `sinks/registry.ts` has the real ones. */
export type BundleSinks = Readonly<Record<string, SinkSchema & PlaceRules>>;

/** `bundle` is null exactly where there are problems; they are sorted by line. */
export type ParsedBundle = { readonly bundle: Bundle; readonly problems: readonly [] } | { readonly bundle: null; readonly problems: readonly Problem[] };

/** Reads a bundle and checks all that can be checked without the outside world. `file` is how problems call the text. */
export function parseBundle(text: string, file: string, sinks: BundleSinks): ParsedBundle {
  const document = readBundleDocument(text, file);
  if (document.problems.length > 0) return { bundle: null, problems: sorted(document.problems) };
  const schema = createBundleSchema(sinks);
  const result = schema.safeParse(document.data, { error: explainIssue });
  if (result.success) {
    const problems = located(check(result.data, sinks), document);
    return problems.length === 0 ? { bundle: bindVaultReferences(result.data), problems: [] } : { bundle: null, problems: sorted(problems) };
  }
  const problems = result.error.issues.flatMap((issue) => problemsOf(issue, document));
  // What is sound is checked as well, so that a person mends everything in one round.
  const sound = schema.safeParse(withoutBroken(document.data, result.error.issues), { error: explainIssue });
  const further = sound.success ? located(check(sound.data, sinks), document) : [];
  return { bundle: null, problems: sorted([...problems, ...further]) };
}

function check(bundle: Bundle, sinks: BundleSinks): readonly Problem[] {
  return [...checkBundle(bundle, sinks, matchGlob), ...freezeProblems(bundle, cronProblem)];
}

/** Reads the bundle's file. Throws InvalidInput with every problem. */
export async function loadBundle(path: string, sinks: BundleSinks): Promise<Bundle> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new InvalidInput([{ message: `${path}: the bundle cannot be read (${code})` }]);
  }
  const { bundle, problems } = parseBundle(text, path, sinks);
  if (!bundle) throw new InvalidInput(problems);
  return bundle;
}

function problemsOf(issue: z.core.$ZodIssue, document: BundleDocument): Problem[] {
  return splitIssue(issue).map(({ path, message, atKey }) => {
    const names = path.map(String);
    const problem = { message, origin: document.originOf(names, atKey ? 'key' : 'value') };
    return names.length > 0 ? { ...problem, key: formatPath(names) } : problem;
  });
}

function located(problems: readonly Problem[], document: BundleDocument): Problem[] {
  return problems.map((problem) => ({ ...problem, origin: document.originOf(parsePath(problem.key ?? ''), 'value') }));
}

function sorted(problems: readonly Problem[]): Problem[] {
  return problems.toSorted((a, b) => (a.origin?.line ?? 0) - (b.origin?.line ?? 0) || (a.origin?.column ?? 0) - (b.origin?.column ?? 0));
}
