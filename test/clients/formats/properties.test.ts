import { describe, expect, it } from 'vitest';
import { parseDocument } from '../../../clients/formats/parse-document.ts';
import { nodeAt, toJson } from '../../../domain/value.ts';
import { parsed, refusalOf } from './parsed.ts';

describe('a .properties file', () => {
  it('is read as maps of texts, dots nest', () => {
    const text = '# c\n! c\na.b = 1\r\na.c: two words \nd e\\ f\nlong = one \\\n   two\nu\\u00e9=\\u00FC\\t\nq\\\\.r=x\nempty\n__proto__.x=1\n';
    expect(toJson(parsed(text, 'a.properties'))).toBe(
      '{"a":{"b":"1","c":"two words "},"d":"e f","long":"one two","ué":"ü\\t","q.r":"x","empty":"","__proto__":{"x":"1"}}',
    );
  });

  it('tells line and column of each value', () => {
    const node = parseDocument(new TextEncoder().encode('\uFEFF# c\r\n  a.b : x\r\nlong = \\\r\n  y\r\n'), 'a.properties');
    expect(nodeAt(node, ['a', 'b'])?.origin).toEqual({ file: 'a.properties', line: 2, column: 9 });
    expect(nodeAt(node, ['long'])?.origin).toMatchObject({ line: 3 });
  });

  it.each([
    ['a duplicate key', 'a.b=1\na.b=2\n', 'a.properties:2:1 a.b: the key is there twice, first in line 1; remove one'],
    ['a map over a value', 'a=1\na.b=2\n', 'a.properties:2:1 a: it is a map here and a value in line 1; rename one of them'],
    ['a value over a map', 'a.b=1\na=2\n', 'a.properties:2:1 a: it is a value here and a map in line 1; rename one of them'],
    ['a broken escape', '# \\u\na=\\\\u\\u00e9\nb=\\u12\n', 'a.properties:3:3: \\u must be followed by four hexadecimal digits'],
  ])('is refused for %s', (_, text, message) => {
    expect(refusalOf(text, 'a.properties')).toBe(message);
  });
});
