import { z } from 'zod';

type RawIssue = Parameters<z.core.$ZodErrorMap>[0];

/**
 * Error map of everything that is parsed from a file written by people: says what to write, and never quotes what was written, since a secret
 * may stand where it should not. Pass it as `safeParse(input, { error: explainIssue })`.
 */
export function explainIssue(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : `write ${typeNames[issue.expected] ?? issue.expected}, not ${nameOfType(issue.input)}`;
    case 'invalid_value':
      if (issue.input === undefined) return 'is required';
      return `write ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map(String).join(', ')}${suggestion(issue.input, issue.values.map(String))}`;
    case 'unrecognized_keys':
      return issue.keys.map((key) => `unknown field${suggestion(key, fieldsOf(issue.inst))}`).join('\n');
    case 'invalid_key':
      return issue.issues[0]?.message;
    case 'invalid_union':
      if (Array.isArray(issue.options)) return `${issue.input === undefined ? 'is required; ' : ''}write one of ${issue.options.map(String).join(', ')}`;
      return `${issue.input === undefined ? 'is required; ' : ''}write ${formsOf(issue.inst).join(' or ')}`;
    case 'invalid_format':
      return issue.format === 'regex' ? `does not match ${issue.pattern ?? 'its pattern'}` : `is not of the form ${issue.format}`;
    case 'too_small':
      return issue.origin === 'string' || issue.origin === 'array' ? 'must not be empty' : `must be at least ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'number' || issue.origin === 'int' ? `must be at most ${issue.maximum}` : undefined;
    default:
      return undefined;
  }
}

/** One issue for each unknown field, at the field's own path, so that every one is shown where it stands. */
export function splitIssue(issue: z.core.$ZodIssue): { path: readonly PropertyKey[]; message: string; atKey: boolean }[] {
  if (issue.code !== 'unrecognized_keys') return [{ path: issue.path, message: issue.message, atKey: issue.code === 'invalid_key' }];
  const messages = issue.message.split('\n');
  return issue.keys.map((key, index) => ({
    path: [...issue.path, key],
    message: messages.length === issue.keys.length ? (messages[index] ?? '') : issue.message,
    atKey: true,
  }));
}

/** `; did you mean "x"?` where a known name is close to what was written. */
export function suggestion(written: unknown, known: readonly string[]): string {
  if (typeof written !== 'string') return '';
  const limit = Math.max(1, Math.floor(written.length / 3));
  const ranked = known.map((name) => ({ name, distance: editDistance(written.toLowerCase(), name.toLowerCase()) })).toSorted((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= limit ? `; did you mean "${best.name}"?` : '';
}

const typeNames: Readonly<Record<string, string>> = {
  object: 'a map',
  record: 'a map',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

function nameOfType(input: unknown): string {
  if (input === null) return 'nothing';
  if (Array.isArray(input)) return 'a list';
  return typeof input === 'object' ? 'a map' : (typeNames[typeof input] ?? typeof input);
}

function fieldsOf(schema: unknown): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

/** What each alternative of a union looks like. */
function formsOf(schema: unknown): string[] {
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(formsOf);
  if (schema instanceof z.ZodPipe) return formsOf(schema.in);
  if (schema instanceof z.ZodObject) return [`{ ${Object.keys(schema.shape).join(', ')} }`];
  if (schema instanceof z.ZodLiteral) return [...schema.values].map(String);
  if (schema instanceof z.ZodEnum) return schema.options.map(String);
  const type = schema instanceof z.ZodType ? schema.def.type : '';
  return [typeNames[type] ?? 'another value'];
}

/** Edits to come from one text to the other; a swap of neighbours counts as one. */
function editDistance(a: string, b: string): number {
  let [before, last]: number[][] = [[], Array.from({ length: b.length + 1 }, (_, i) => i)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((row[j - 1] ?? 0) + 1, (last?.[j] ?? 0) + 1, (last?.[j - 1] ?? 0) + cost);
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (before?.[j - 2] ?? Infinity) + 1);
      row.push(best);
    }
    [before, last] = [last, row];
  }
  return last?.[b.length] ?? 0;
}
