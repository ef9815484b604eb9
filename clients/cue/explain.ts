import type { Problem } from '../../domain/problem.ts';
import { formatPath, nodeAt, originAt, toJson, type Node, type Origin, type Path } from '../../domain/value.ts';
import { describeIssue, formats, wantOf } from './describe-issue.ts';
import type { EngineIssue, EnginePosition } from './engine-protocol.ts';
import { foldDisjunctions, type Finding } from './fold-disjunctions.ts';
import { nearestName } from './nearest-name.ts';

/** What the issues of one response are about. */
export interface Subject {
  readonly document: Node;
  /** Where to point for what is wrong with the schema as a whole. */
  readonly schemaFile: string;
  /** Position in a schema file of the repository. */
  originOf(position: EnginePosition): Origin | undefined;
  /** Text of the line of a schema file. */
  lineOf(origin: Origin): string;
  /** Values at or below these paths are not to be shown. */
  readonly secrets: readonly Path[];
  readonly rule?: string;
}

/** Turns what the engine found into problems that point into the files a person wrote. */
export function explain(issues: readonly EngineIssue[], more: number, subject: Subject): Problem[] {
  const told = issues.filter((issue) => !isConsequence(issue, issues));
  const problems = foldDisjunctions(told, subject.document).map((finding) => problemOf(finding, subject));
  const seen = new Set<string>();
  const distinct = problems.toSorted(byOrigin).filter((problem) => {
    const text = `${problem.key}\0${problem.message}`;
    return !seen.has(text) && seen.add(text);
  });
  return more > 0 ? [...distinct, { ...withRule(subject), message: `and ${more} more problems`, origin: subject.document.origin }] : distinct;
}

/** In the order of the files, so that a person can work through them. */
function byOrigin(a: Problem, b: Problem): number {
  if (a.origin?.file !== b.origin?.file) return (a.origin?.file ?? '') < (b.origin?.file ?? '') ? -1 : 1;
  return (a.origin?.line ?? 0) - (b.origin?.line ?? 0) || (a.origin?.column ?? 0) - (b.origin?.column ?? 0);
}

function problemOf(finding: Finding, subject: Subject): Problem {
  const { issue, path } = finding;
  const constraint = constraintOf(finding.within?.[0]?.issue ?? issue, subject);
  if (issue.stage !== 'validate') {
    const place = path.length > 0 ? `${formatPath(path)}: ` : '';
    const message = issue.stage === 'internal' ? `the CUE engine failed: ${issue.message}` : `${place}${issue.message}`;
    return { ...withRule(subject), message, origin: constraint ?? { file: subject.schemaFile, line: 1, column: 1 } };
  }
  const message = finding.within
    ? `fits none of the schema's alternatives: ${finding.within
        .slice(0, 5)
        .map((part) => `${formatPath(part.path)} ${messageOf(part, subject)}`)
        .join('; ')}`
    : messageOf(finding, subject);
  return {
    ...withRule(subject),
    message: scrub(message, subject),
    origin: originAt(subject.document, path),
    ...(path.length > 0 && { key: formatPath(path) }),
    ...(constraint && { constraint }),
  };
}

function messageOf({ issue, path, wants }: Finding, subject: Subject): string {
  const node = nodeAt(subject.document, path);
  const message = describeIssue(issue, node, isSecret(path, subject), wants);
  const parent = nodeAt(subject.document, path.slice(0, -1));
  if (issue.format !== formats.unknown || parent?.kind !== 'map') return message;
  const meant = nearestName(
    path.at(-1) ?? '',
    (issue.known ?? []).filter((name) => !parent.entries.has(name)),
  );
  return meant === undefined ? message : `${message}: did you mean ${formatPath([meant])}?`;
}

/** What another issue already says: a computed field that lacks the field that is reported as missing. */
function isConsequence(issue: EngineIssue, issues: readonly EngineIssue[]): boolean {
  const missing = issue.format === formats.missing && issue.args?.[0];
  return typeof missing === 'string' && issues.some((other) => other !== issue && other.incomplete && other.path?.at(-1) === missing);
}

/** Where the violated constraint stands: of all places in the schema that have a say, the one where its text is. */
function constraintOf(issue: EngineIssue, subject: Subject): Origin | undefined {
  const want = wantOf(issue, nodeAt(subject.document, issue.path ?? []));
  const origins = (issue.positions ?? []).filter((at) => at.in === 'schema').map((at) => subject.originOf(at));
  const exact = origins.find(
    (origin) =>
      want !== undefined &&
      origin &&
      subject
        .lineOf(origin)
        .slice(origin.column - 1)
        .startsWith(want),
  );
  return exact ?? origins[0];
}

function isSecret(path: Path, subject: Subject): boolean {
  return subject.secrets.some((secret) => secret.length <= path.length && secret.every((name, i) => path[i] === name));
}

/** An engine's message about one field may quote another: whatever it says, no secret of the document is in it. */
function scrub(message: string, subject: Subject): string {
  let clean = message;
  for (const path of subject.secrets) {
    const node = nodeAt(subject.document, path);
    if (node?.kind !== 'scalar' || node.value === null || typeof node.value === 'boolean') continue;
    const text = typeof node.value === 'string' ? toJson(node.value).slice(1, -1) : toJson(node.value);
    if (text.length >= 4) clean = clean.replaceAll(text, '[secret]');
  }
  return clean;
}

function withRule(subject: Subject): { rule?: string } {
  return subject.rule === undefined ? {} : { rule: subject.rule };
}
