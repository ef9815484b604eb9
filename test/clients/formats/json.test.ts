import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDocument } from '../../../clients/formats/parse-document.ts';
import { nodeAt, toJson, type Value } from '../../../domain/value.ts';
import { parsed, refusalOf } from './parsed.ts';

describe('a JSON file', () => {
  it('is read with exact integers', () => {
    expect(parsed('{"a": 9007199254740991, "b": 9007199254740993, "c": -1.5e3, "d": [null, true, "\\u00e9"], "__proto__": {}, "e": -0}', 'a.json')).toEqual(
      new Map<string, unknown>([
        ['a', 9007199254740991],
        ['b', 9007199254740993n],
        ['c', -1500],
        ['d', [null, true, 'é']],
        ['__proto__', new Map()],
        ['e', 0],
      ]),
    );
  });

  it('tells line and column of each value', () => {
    const node = parseDocument(new TextEncoder().encode('{\r\n  "a": {"b": [1,\r\n    22]}\r\n}'), 'a.json');
    expect(nodeAt(node, ['a'])?.origin).toEqual({ file: 'a.json', line: 2, column: 8 });
    expect(nodeAt(node, ['a', 'b', '1'])?.origin).toEqual({ file: 'a.json', line: 3, column: 5 });
  });

  it('takes {} for a map without keys', () => {
    expect(parsed(' {}\n', 'a.json')).toEqual(new Map());
  });

  it.each([
    ['a duplicate key', '{"a": {"b": 1,\n "b": 2}}', 'a.json:2:2 a.b: the key is there twice, first in line 1; remove one'],
    ['a duplicate key in another spelling', '{"b": 1, "\\u0062": 2}', 'a.json:1:10 b: the key is there twice, first in line 1; remove one'],
    ['a comment', '{"a": 1 // one\n}', 'a.json:1:9 a: not valid JSON: invalid comment token'],
    ['a trailing comma', '{"a": [1,]}', 'a.json:1:10 a.1: not valid JSON: value expected'],
    ['text behind the end', '{"a": 1} {}', 'a.json:1:10: not valid JSON: end of file expected'],
    ['a number too large', '{"a": 1e400}', 'a.json:1:7 a: the number is too large for a float; quote it if it is text'],
    ['white space of another kind', '{"a":\u00a01}', 'a.json:1:6 a: not valid JSON: invalid symbol'],
    ['half of a surrogate pair', '{"a": "\\ud800"}', 'a.json:1:7 a: the text has one half of a surrogate pair'],
  ])('is refused for %s', (_, text, message) => {
    expect(refusalOf(text, 'a.json')).toBe(message);
  });

  it.each(['{"a": 01}', '{"a": .5}', '{"a": +1}', '{a: 1}', "{'a': 1}", '{"a": NaN}', '{"a": "\t"}', '{"a": "x', '{"a"', '{', '{"a": \\n}', '{"a": 0x10}'])(
    'is refused for %s',
    (text) => {
      expect(refusalOf(text, 'a.json')).toMatch(/^a\.json:1:\d+( [^:]+)?: not valid JSON: /);
    },
  );

  it.each([201, 100_000])('is refused when it is nested %d levels deep', (depth) => {
    expect(refusalOf(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`, 'a.json')).toBe('a.json:1:205: it is nested deeper than 200 levels');
  });

  it('is taken exactly when JSON.parse takes it', () => {
    const token = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      'a',
      ':',
      ',',
      '1',
      '.',
      'e',
      '-',
      '+',
      '0',
      '\\',
      'u',
      'true',
      'null',
      ' ',
      '\n',
      '\t',
      '\v',
      '\u00a0',
      '\u2028',
      '\ufeff',
      '/',
      '"a"',
      '"b":',
      '\u0001',
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 8 }), (tokens) => {
        const text = `{"x": ${tokens.join('')}}`;
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          expect(refusalOf(text, 'a.json')).not.toBe('');
          return;
        }
        const taken = refusalOr(text);
        if (taken !== undefined) expect(JSON.stringify(JSON.parse(toJson(taken)))).toBe(JSON.stringify(expected));
      }),
      { numRuns: 2000 },
    );
  });
});

/** The value, or undefined where a key is twice in it, which JSON.parse does not mind. */
function refusalOr(text: string): Value | undefined {
  try {
    return parsed(text, 'a.json');
  } catch (error) {
    expect(String(error)).toMatch(/the key is there twice/);
    return undefined;
  }
}
