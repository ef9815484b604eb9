import type { Origin } from './value.ts';

/**
 * One thing that is wrong with an input, with all that a person needs to mend it (I13).
 * `message` never quotes a value that could be secret; it says what is wrong and, where it is not obvious, what to do.
 */
export interface Problem {
  readonly message: string;
  /** Name of the rule of the bundle that refused it. */
  readonly rule?: string;
  /** File, line and column of the input (data file, schema or bundle). */
  readonly origin?: Origin;
  /** Dotted path of the key, `\.` for a literal dot. */
  readonly key?: string;
  /** Where the violated constraint stands, e.g. in the CUE schema. */
  readonly constraint?: Origin;
}

/** `rule settings: settings/production.yaml:14:7 redis.max: 5000 exceeds <=1000 (schemas/settings.cue:9)` */
export function formatProblem(problem: Problem): string {
  const where = [problem.origin && formatOrigin(problem.origin), problem.key].filter(Boolean).join(' ');
  const constraint = problem.constraint ? ` (${problem.constraint.file}:${problem.constraint.line})` : '';
  return `${problem.rule ? `rule ${problem.rule}: ` : ''}${where ? `${where}: ` : ''}${problem.message}${constraint}`;
}

export function formatOrigin(origin: Origin): string {
  return `${origin.file}:${origin.line}:${origin.column}`;
}

/** Thrown where an input is refused; carries every problem found, not just the first. */
export class InvalidInput extends Error {
  override readonly name = 'InvalidInput';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}
