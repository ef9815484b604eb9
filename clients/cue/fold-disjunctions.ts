import { nodeAt, type Node, type Path } from '../../domain/value.ts';
import { formats, wantOf } from './describe-issue.ts';
import type { EngineIssue } from './engine-protocol.ts';

/** One thing to tell: an issue, with the alternatives the schema gives there; or several of different places, none of which is more likely than the other. */
export interface Finding {
  readonly path: Path;
  readonly issue: EngineIssue;
  readonly wants: readonly string[];
  /** Of a map that fits no alternative: what each place in it lacks. */
  readonly within?: readonly Finding[];
}

/** The engine tells one error for each alternative that a value does not fit; a reader wants one for the value. */
export function foldDisjunctions(issues: readonly EngineIssue[], document: Node): Finding[] {
  const headers = issues.filter((issue) => issue.format === formats.disjunction);
  const outermost = headers.filter((header, i) => !headers.some((other, j) => i !== j && isBelow(pathOf(header), pathOf(other), j < i)));
  const findings: Finding[] = [];
  const folded = new Set<EngineIssue>(headers);
  for (const header of outermost) {
    const branches = issues.filter((issue) => !folded.has(issue) && !issue.incomplete && isBelow(pathOf(issue), pathOf(header)));
    for (const branch of branches) folded.add(branch);
    findings.push(fold(header, branches, document));
  }
  for (const issue of issues) if (!folded.has(issue)) findings.push({ path: pathOf(issue), issue, wants: [] });
  return findings;
}

function fold(header: EngineIssue, branches: readonly EngineIssue[], document: Node): Finding {
  const path = pathOf(header);
  const deeper = branches.filter((branch) => pathOf(branch).length > path.length);
  // A map that almost fits one alternative was not meant to be the `null` that is the other.
  const relevant = deeper.length > 0 ? branches.filter((branch) => deeper.includes(branch) || branch.format !== formats.mismatch) : branches;
  const places = Map.groupBy(relevant, (branch) => JSON.stringify(branch.path));
  const within = [...places.values()].map((group) => alternatives(group, document));
  const [only] = within;
  if (!only) return { path, issue: header, wants: [] };
  return within.length === 1 ? only : { path, issue: header, wants: [], within };
}

function alternatives(group: readonly EngineIssue[], document: Node): Finding {
  const ordered = group.toSorted((a, b) => schemaOrder(a) - schemaOrder(b));
  const issue = ordered[0] as EngineIssue;
  const path = pathOf(issue);
  const node = nodeAt(document, path);
  return { path, issue, wants: [...new Set(ordered.map((branch) => wantOf(branch, node)).filter((want) => want !== undefined))] };
}

function schemaOrder(issue: EngineIssue): number {
  const position = issue.positions?.find((at) => at.in === 'schema');
  return position ? position.line * 10_000 + position.col : Infinity;
}

function pathOf(issue: EngineIssue): Path {
  return issue.path ?? [];
}

/** Whether `path` is at or below `ancestor`; of two equal paths, only when `orEqual`. */
function isBelow(path: Path, ancestor: Path, orEqual = true): boolean {
  return path.length >= ancestor.length && ancestor.every((name, i) => path[i] === name) && (path.length > ancestor.length || orEqual);
}
