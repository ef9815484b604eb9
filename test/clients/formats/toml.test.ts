import { describe, expect, it } from 'vitest';
import { parseDocument } from '../../../clients/formats/parse-document.ts';
import { nodeAt, toJson } from '../../../domain/value.ts';
import { parsed, refusalOf } from './parsed.ts';

describe('a TOML file', () => {
  it('is read with its types, dates as ISO strings', () => {
    const text = [
      'a = 1',
      'big = 9223372036854775807',
      'hex = 0xff',
      'f = 1.5',
      'ok = true',
      's = "x\\ny"',
      "l = 'c:\\x'",
      'day = 2020-01-02',
      'at = 2020-01-02 03:04:05.5z',
      'time = 07:32:00',
      '"__proto__".x = 1',
      'm = """',
      'two\\',
      '   lines"""',
    ].join('\r\n');
    expect(toJson(parsed(text, 'a.toml'))).toBe(
      '{"a":1,"big":9223372036854775807,"hex":255,"f":1.5,"ok":true,"s":"x\\ny","l":"c:\\\\x","day":"2020-01-02","at":"2020-01-02T03:04:05.5Z","time":"07:32:00","__proto__":{"x":1},"m":"twolines"}',
    );
  });

  it('nests tables, dotted keys, lists of tables and inline tables', () => {
    const text = '[a.b]\nc.d = 1\n[a]\ne = {f = 2, g.h = [1, [2]]}\n[[list]]\nx = 1\n[list.sub]\ny = 2\n[[list]]\n[[list.deep]]\nz = 3\n[empty]\n';
    expect(toJson(parsed(text, 'a.toml'))).toBe(
      '{"a":{"b":{"c":{"d":1}},"e":{"f":2,"g":{"h":[1,[2]]}}},"list":[{"x":1,"sub":{"y":2}},{"deep":[{"z":3}]}],"empty":{}}',
    );
  });

  it('tells line and column of each value', () => {
    const node = parseDocument(new TextEncoder().encode('\uFEFF# é😀\r\n[a]\r\nb = "é"\r\nc = [1,\r\n  {d = 2}]\r\n'), 'a.toml');
    expect(nodeAt(node, ['a', 'b'])?.origin).toEqual({ file: 'a.toml', line: 3, column: 5 });
    expect(nodeAt(node, ['a', 'c', '1', 'd'])?.origin).toEqual({ file: 'a.toml', line: 5, column: 8 });
  });

  it.each([
    ['a duplicate key', '[a]\nb = 1\nb = 2\n', /^a\.toml:3:\d+: not valid TOML: /],
    ['a duplicate table', '[a]\n[a]\n', /^a\.toml:2:\d+: not valid TOML: /],
    ['a table over a value', 'a = 1\n[a.b]\n', /^a\.toml:2:\d+: not valid TOML: /],
    ['a reopened inline table', 'a = {}\n[a.b]\n', /^a\.toml:2:\d+: not valid TOML: /],
    ['a dotted key into a value', 'a = 1\na.b = 2\n', /^a\.toml:2:\d+: not valid TOML: /],
    ['an infinite number', 'a = inf\n', /^a\.toml:1:5 a: infinity and NaN/],
    ['NaN', 'x.a = -nan\n', /^a\.toml:1:7 x\.a: infinity and NaN/],
    ['a bare text', 'a = b\n', /^a\.toml:1:\d+: not valid TOML: /],
  ])('is refused for %s', (_, text, message) => {
    expect(refusalOf(text, 'a.toml')).toMatch(message);
  });

  it.each([250, 20_000])('is refused when it is nested %d levels deep', (depth) => {
    expect(refusalOf(`a = ${'['.repeat(depth)}${']'.repeat(depth)}`, 'a.toml')).toMatch(/^a\.toml:1:\d+: it is nested /);
  });

  it('without keys is a comment', () => {
    expect(parsed('# nothing\n', 'a.toml')).toEqual(new Map());
  });
});
