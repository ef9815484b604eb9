import { describe, expect, it } from 'vitest';
import { toJson, nodeAt, valueOf } from '../../../domain/value.ts';
import { parseDocument } from '../../../clients/formats/parse-document.ts';
import { parsed, refusalOf } from './parsed.ts';

describe('a YAML file', () => {
  it('is read with the types of YAML 1.2 core', () => {
    const text =
      'yes: yes\non: true\nport: 0x10\nratio: 1.5\nday: 2020-01-01\nbig: 12345678901234567890\nsmall: -9007199254740993\nnothing: ~\nempty:\nquoted: "1"\n';
    expect(parsed(text, 'a.yaml')).toEqual(
      new Map<string, unknown>([
        ['yes', 'yes'],
        ['on', true],
        ['port', 16],
        ['ratio', 1.5],
        ['day', '2020-01-01'],
        ['big', 12345678901234567890n],
        ['small', -9007199254740993n],
        ['nothing', null],
        ['empty', null],
        ['quoted', '1'],
      ]),
    );
  });

  it('tells line and column of each value', () => {
    const node = parseDocument(new TextEncoder().encode('\uFEFFa:\r\n  b: 1\r\n  c: [x, "y"]\r\nd: |\r\n  text\r\n'), 'dir/a.yml');
    expect(nodeAt(node, ['a', 'b'])?.origin).toEqual({ file: 'dir/a.yml', line: 2, column: 6 });
    expect(nodeAt(node, ['a', 'c', '1'])?.origin).toEqual({ file: 'dir/a.yml', line: 3, column: 10 });
    expect(nodeAt(node, ['d'])).toEqual({ kind: 'scalar', value: 'text\n', origin: { file: 'dir/a.yml', line: 4, column: 4 } });
  });

  it('resolves aliases and merge keys, what is written beside a merge wins', () => {
    const text = 'base: &b {x: 1, y: 2}\nover: &o {y: 3, z: 4}\nuse:\n  y: 9\n  <<: [*o, *b]\nlist: [*b]\n"<<": kept\n';
    expect(toJson(parsed(text, 'a.yaml'))).toBe('{"base":{"x":1,"y":2},"over":{"y":3,"z":4},"use":{"y":9,"z":4,"x":1},"list":[{"x":1,"y":2}],"<<":"kept"}');
  });

  it('takes numbers and booleans as keys by their text, and __proto__ as any name', () => {
    expect(toJson(parsed('1: a\ntrue: b\n1.50: c\n__proto__: {constructor: d}\n', 'a.yaml'))).toBe(
      '{"1":"a","true":"b","1.50":"c","__proto__":{"constructor":"d"}}',
    );
  });

  it.each([
    ['a duplicate key', 'a: 1\nb:\n  c: 1\n  c: 2\n', 'a.yaml:4:3 b.c: the key is there twice, first in line 3; remove one'],
    ['a key that is there as a number and as text', '1: a\n"1": b\n', 'a.yaml:2:1 1: the key is there twice, first in line 1; remove one'],
    ['a second document', 'a: 1\n---\nb: 1\n', 'a.yaml:2:1: a second YAML document starts here; a file holds one, split it'],
    ['a list at the top', '- a\n', 'a.yaml:1:1: the document must be a map of keys, it is a list'],
    ['a single value at the top', 'hello\n', 'a.yaml:1:1: the document must be a map of keys, it is a single value'],
    ['only comments', '# nothing\n', 'a.yaml:1:1: it has only comments; write {} if it is meant to have no keys'],
    ['an infinite number', 'a: 1\nb: .inf\n', 'a.yaml:2:4 b: infinity and NaN are not values of a configuration; quote it if it is text'],
    ['NaN', 'b: .nan\n', 'a.yaml:1:4 b: infinity and NaN are not values of a configuration; quote it if it is text'],
    ['an unknown tag', 'a: !secret b\n', 'a.yaml:1:12 a: its tag is not of the YAML core schema; remove it, or quote the text if the ! belongs to it'],
    ['binary', 'a: !!binary aGk=\n', 'a.yaml:1:13 a: its tag is not of the YAML core schema; remove it, or quote the text if the ! belongs to it'],
    ['a map as a key', '? {a: 1}\n: b\n', 'a.yaml:1:3: a key must be plain text, not a map, list or alias'],
    ['an alias of nothing', 'a: *x\n', 'a.yaml:1:4 a: the alias has no anchor before it, or is inside of it; quote the text if the * belongs to it'],
    [
      'an alias of its own map',
      'a: &x\n  b: *x\n',
      'a.yaml:2:6 a.b: the alias has no anchor before it, or is inside of it; quote the text if the * belongs to it',
    ],
    ['a merge of a text', 'a:\n  <<: b\n', 'a.yaml:2:3 a: the merge key << takes a map or a list of maps; quote it if it is a name'],
    ['YAML 1.1', '%YAML 1.1\n---\na: yes\n', 'a.yaml:1:1: it says %YAML 1.1, where unquoted words have other types; write YAML 1.2'],
    ['half of a surrogate pair', 'a: "\\ud800"\n', 'a.yaml:1:4 a: the text has one half of a surrogate pair'],
  ])('is refused for %s', (_, text, message) => {
    expect(refusalOf(text, 'a.yaml')).toBe(message);
  });

  it('is refused where its syntax is wrong, at the place', () => {
    expect(refusalOf('a: 1\nb: [1, 2\nc: 3\n', 'a.yaml')).toMatch(/^a\.yaml:[23]:\d+: not valid YAML: /);
  });

  it('is refused when its aliases explode, quickly', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let level = 1; level < 12; level++) lines.push(`a${level}: &a${level} [${Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ')}]`);
    expect(refusalOf(lines.join('\n'), 'a.yaml')).toBe('a.yaml:1:1: it has more than 1000000 values once its aliases are written out');
  });

  it.each([250, 20_000])('is refused when it is nested %d levels deep', (depth) => {
    expect(refusalOf(`a: ${'['.repeat(depth)}${']'.repeat(depth)}`, 'a.yaml')).toMatch(/^a\.yaml:1:\d+: it is nested /);
  });

  it('is read in linear time when it has many keys', () => {
    const text = Array.from({ length: 50_000 }, (_, index) => `key${index}: ${index}`).join('\n');
    expect(valueOf(parseDocument(new TextEncoder().encode(text), 'a.yaml'))).toHaveProperty('size', 50_000);
  }, 10_000);
});
