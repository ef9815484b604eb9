import { toJson, valueOf, type Node } from '../../domain/value.ts';
import type { EngineIssue } from './engine-protocol.ts';

/** What the engine calls its errors, see `EngineIssue.format`. */
export const formats = {
  disjunction: '%d errors in empty disjunction:',
  conflict: 'conflicting values %s and %s',
  mismatch: 'conflicting values %s and %s (mismatched types %s and %s)',
  bound: 'invalid value %v (out of bound %s)',
  validator: 'invalid value %s (does not satisfy %s)',
  lengths: 'incompatible list lengths (%d and %d)',
  unknown: 'field not allowed',
  required: 'field is required but not present',
  missing: 'required field missing: %s',
  incomplete: 'incomplete value %v',
} as const;

const maxShown = 80;
const maxAlternatives = 20;

/** Says what is wrong with `node` (undefined: the document has no such value), whose value is not to be shown when it is `secret`. */
export function describeIssue(issue: EngineIssue, node: Node | undefined, secret: boolean, wants: readonly string[] = []): string {
  const args = issue.args ?? [];
  const value = secret ? 'the secret' : shown(node);
  const want = wantOf(issue, node);
  if (wants.length > 1) return `${value} must be one of ${wants.slice(0, maxAlternatives).join(', ')}${wants.length > maxAlternatives ? ', …' : ''}`;
  switch (issue.format) {
    case formats.required:
      return `is required${issue.expected ? ` (${clip(issue.expected)})` : ''}`;
    case formats.incomplete:
      return node ? `is left open by the schema: ${clip(args[0] ?? '')}` : `is required (${clip(args[0] ?? '')})`;
    case formats.missing:
      return `cannot be computed: ${args[0] ?? 'a field it needs'} is missing`;
    case formats.unknown:
      return 'is not allowed by the schema';
    case formats.mismatch: {
      if (want === undefined) break;
      const hint = want === 'float' && kindOf(node) === 'int' ? '; a whole number is an int to CUE, the schema could say number' : '';
      if (!secret && (node?.kind !== 'scalar' || node.value === null)) return `is ${kindNames[kindOf(node)]}, must be ${want}`;
      return `${value} is ${kindNames[kindOf(node)] ?? 'of another type'}, must be ${want}${hint}`;
    }
    case formats.conflict:
      if (want === undefined) break;
      return `${value} must be ${want}`;
    case formats.bound:
      return `${value} ${violation(args[1] ?? '')}`;
    case formats.validator:
      return `${value} does not satisfy ${clip(args[1] ?? '')}`;
    case formats.lengths:
      if (node?.kind !== 'list') break;
      return `has ${node.items.length} items, must have ${args.find((length) => length !== String(node.items.length)) ?? 'another number'}`;
  }
  if (issue.incomplete && !node) return `cannot be computed: ${issue.message}`;
  return secret ? 'the secret does not satisfy the schema' : issue.message;
}

/** The side of a conflict that is not the document's, as CUE text; undefined where both come from the schema. */
export function wantOf(issue: EngineIssue, node: Node | undefined): string | undefined {
  const args = issue.args ?? [];
  if (issue.format === formats.bound || issue.format === formats.validator) return args[1] && clip(args[1]);
  if (!node || (issue.format !== formats.conflict && issue.format !== formats.mismatch)) return undefined;
  const literal = node.kind === 'scalar' ? toJson(node.value) : undefined;
  const isData = (side: 0 | 1): boolean =>
    args[side] === literal || (args[side]?.endsWith('…') === true && literal?.startsWith(args[side].slice(0, -1)) === true);
  const byType = (side: 0 | 1): boolean => args[side + 2] === kindOf(node) && args[3 - side] !== kindOf(node);
  const data = isData(0) !== isData(1) ? (isData(0) ? 0 : 1) : byType(0) ? 0 : byType(1) ? 1 : undefined;
  if (data === undefined) return undefined;
  const kind = args[3 - data];
  const text = args[1 - data] ?? '';
  return (kind === 'struct' && 'a map') || (kind === 'list' && 'a list') || clip(text.replace(/^__/, ''));
}

function violation(bound: string): string {
  if (/^<=?/.test(bound)) return `exceeds ${clip(bound)}`;
  if (/^>=?/.test(bound)) return `is below ${clip(bound)}`;
  if (bound.startsWith('=~')) return `does not match ${clip(bound)}`;
  return `violates ${clip(bound)}`;
}

const kindNames: Readonly<Record<string, string>> = {
  struct: 'a map',
  list: 'a list',
  null: 'null',
  bool: 'a boolean',
  string: 'a string',
  int: 'an integer',
  float: 'a floating-point number',
};

/** As the engine names types. */
function kindOf(node: Node | undefined): string {
  if (!node) return '';
  if (node.kind === 'map') return 'struct';
  if (node.kind === 'list') return 'list';
  const { value } = node;
  if (value === null) return 'null';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  return typeof value === 'bigint' || /^-?\d+$/.test(String(value)) ? 'int' : 'float';
}

function shown(node: Node | undefined): string {
  if (node?.kind === 'map') return 'the map';
  if (node?.kind === 'list') return 'the list';
  return node ? clip(toJson(valueOf(node))) : 'the value';
}

function clip(text: string): string {
  return text.length <= maxShown ? text : `${text.slice(0, maxShown - 1)}…`;
}
