import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { explainIssue, splitIssue, suggestion } from '../../schemas/explain-issue.ts';

function explain(schema: z.ZodType, input: unknown): string[] {
  const result = schema.safeParse(input, { error: explainIssue });
  return result.success ? [] : result.error.issues.flatMap(splitIssue).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('messages for people', () => {
  const schema = z.strictObject({ interval: z.string(), count: z.int().min(1).max(9).default(1), list: z.array(z.string()).min(1).optional() });

  test('tell each unknown field by itself, with the known one that is close', () => {
    expect(explain(schema, { interval: '1s', intervall: 1, cuont: 2, other: 3 })).toEqual([
      'intervall: unknown field; did you mean "interval"?',
      'cuont: unknown field; did you mean "count"?',
      'other: unknown field',
    ]);
  });

  test.each([
    [{}, 'interval: is required'],
    [{ interval: null }, 'interval: write a text, not nothing'],
    [{ interval: [] }, 'interval: write a text, not a list'],
    [{ interval: '', count: 0 }, 'count: must be at least 1'],
    [{ interval: '', count: 10 }, 'count: must be at most 9'],
    [{ interval: '', count: 'secret-text' }, 'count: write a number, not a text'],
    [{ interval: '', list: [] }, 'list: must not be empty'],
    ['secret-text', ': write a map, not a text'],
  ])('say what to write for %j', (input, message) => {
    expect(explain(schema, input)).toEqual([message]);
  });

  test('list the possible values without the written one', () => {
    expect(explain(z.enum(['heal', 'warn', 'off']), 'hael')).toEqual([': write one of heal, warn, off; did you mean "heal"?']);
    expect(explain(z.enum(['heal', 'warn', 'off']), 'secret-text')).toEqual([': write one of heal, warn, off']);
  });

  test('suggest nothing that is far off', () => {
    expect(suggestion('x', ['interval'])).toBe('');
    expect(suggestion('url', ['URL'])).toBe('; did you mean "URL"?');
  });
});
