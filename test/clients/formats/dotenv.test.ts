import { parse as parseWithDotenv } from 'dotenv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDocument } from '../../../clients/formats/parse-document.ts';
import { InvalidInput } from '../../../domain/problem.ts';
import { nodeAt, type Value } from '../../../domain/value.ts';
import { parsed, refusalOf } from './parsed.ts';

describe('a dotenv file', () => {
  it('is read as the dotenv library reads it', () => {
    const text = [
      '# comment',
      'A=1',
      'export B = two words  # comment',
      "C='$x # \\n'",
      'D="line\\nbreak \\"q\\" $x"',
      'E=`it\'s "fine"`',
      'F=',
      'G="two',
      'lines"',
      "H=it's",
      'I=a=b',
      '  J.k-l=3',
    ].join('\r\n');
    const value = parsed(text, '.env');
    expect(value).toEqual(new Map(Object.entries(parseWithDotenv(text))));
    expect(value).toHaveProperty('size', 10);
  });

  it('is read as the dotenv library reads it, or refused', () => {
    const part = fc.constantFrom('A', 'B', '=', "'", '"', '`', '\\', '#', ' ', '\n', 'x', '$', 'export ', 'A=', '\nB=', "'y'", '"z"', '\\n', ':', '\t', '\r\n');
    let taken = 0;
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const text = `A0=1\n${parts.join('')}`;
        let value: Value;
        try {
          value = parsed(text, '.env');
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInput);
          return;
        }
        taken++;
        expect(value).toEqual(new Map(Object.entries(parseWithDotenv(text))));
      }),
      { numRuns: 5000 },
    );
    expect(taken).toBeGreaterThan(300);
  });

  it('tells line and column of each value', () => {
    const node = parseDocument(new TextEncoder().encode('\uFEFFA="x\r\ny"\r\nexport B = 2\r\nC=\r\n'), '.env');
    expect(nodeAt(node, ['B'])?.origin).toEqual({ file: '.env', line: 3, column: 12 });
    expect(nodeAt(node, ['C'])?.origin).toEqual({ file: '.env', line: 4, column: 3 });
  });

  it.each([
    ['a name that is there twice', 'A=1\nB=2\nA=3\n', '.env:3:1 A: the key is there twice, first in line 1; remove one'],
    ['a line that is no assignment', 'A=1\nhello\n', '.env:2:1: not an assignment; write NAME=value, or # in front of a comment'],
    ['a name that starts with a digit', '1A=1\n', '.env:1:1: not an assignment; write NAME=value, or # in front of a comment'],
    [
      'a # inside of a bare value',
      'A=pass#word\n',
      '.env:1:7 A: an unquoted # starts a comment for some readers and not for others; put quotes around the value',
    ],
    ['an open quote', 'A=1\nB="x\nC=2\n', '.env:2:3 B: the quote " is not closed'],
    ['a value that ends in a backslash in quotes', "A='x\\'\n", ".env:1:3 A: the quote ' is not closed"],
    ['text behind a quote', 'A="x"y\n', '.env:1:6 A: there is text behind the closing quote; put quotes around all of it'],
  ])('is refused for %s', (_, text, message) => {
    expect(refusalOf(text, '.env')).toBe(message);
  });
});
