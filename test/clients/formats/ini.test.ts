import { describe, expect, it } from 'vitest';
import { parseDocument } from '../../../clients/formats/parse-document.ts';
import { nodeAt, toJson } from '../../../domain/value.ts';
import { parsed, refusalOf } from './parsed.ts';

describe('an INI file', () => {
  it('is read as maps of texts', () => {
    const text =
      '; c\na = 1\r\n[db]\r\n  pool.max=5\nurl = http://x/?a=b#c;d\nempty =\nquoted = " a;b\\n"\nsingle = \'x"y\'\n# c\n[db.inner]\nyes = no\n[__proto__]\n[v1\\.2]\nx=y\n';
    expect(toJson(parsed(text, 'a.ini'))).toBe(
      '{"a":"1","db":{"pool.max":"5","url":"http://x/?a=b#c;d","empty":"","quoted":" a;b\\n","single":"x\\"y","inner":{"yes":"no"}},"__proto__":{},"v1.2":{"x":"y"}}',
    );
  });

  it('tells line and column of each value', () => {
    const node = parseDocument(new TextEncoder().encode('\uFEFF[a]\r\n  b =  x\r\nc=\r\n'), 'a.cfg');
    expect(nodeAt(node, ['a', 'b'])?.origin).toEqual({ file: 'a.cfg', line: 2, column: 8 });
    expect(nodeAt(node, ['a', 'c'])?.origin).toEqual({ file: 'a.cfg', line: 3, column: 1 });
  });

  it.each([
    ['a duplicate key', '[a]\nb=1\nb=2\n', 'a.ini:3:1 a.b: the key is there twice, first in line 2; remove one'],
    ['a duplicate section', '[a]\n[b]\n[ a ]\n', 'a.ini:3:1 a: the section is there twice, first in line 1; join them'],
    ['a section over a value', 'a=1\n[a.b]\n', 'a.ini:2:1 a: it is a map here and a value in line 1; rename one of them'],
    ['a value over a section', '[a.b]\n[a]\nb=1\n', 'a.ini:3:1 a.b: the key is there twice, first in line 1; remove one'],
    ['a line without =', 'a\n', 'a.ini:1:1: not a section or key; write key = value, or ; in front of a comment'],
    ['a : in front of the =', 'a: b=c\n', 'a.ini:1:1: a : in front of the = parts key and value for some readers and not for others'],
    [
      'a comment behind a value',
      'a = b ; c\n',
      'a.ini:1:7 a: a comment behind a value belongs to the value for some readers; move it to a line of its own, or quote the value',
    ],
    [
      'text behind a quote',
      'a = "b" c\n',
      'a.ini:1:5 a: not a quoted text: double quotes take the escapes of JSON, single quotes none, and nothing may follow them',
    ],
    ['a quoted section', '[a "b"]\n', 'a.ini:1:1: not the head of a section; write [name] or [name.inner], alone in its line and without quotes'],
    ['an unnamed section', '[a.]\n', 'a.ini:1:1: not the head of a section; write [name] or [name.inner], alone in its line and without quotes'],
  ])('is refused for %s', (_, text, message) => {
    expect(refusalOf(text, 'a.ini')).toBe(message);
  });

  it('is read in linear time when a line is long', () => {
    expect(refusalOf(`a${' '.repeat(1_000_000)}b`, 'a.ini')).toMatch(/not a section or key/);
    expect(refusalOf(`[a${' '.repeat(1_000_000)}b`, 'a.ini')).toMatch(/not the head of a section/);
  }, 5_000);
});
