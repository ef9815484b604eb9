import { describe, expect, it } from 'vitest';
import { parseDocument } from '../../../clients/formats/parse-document.ts';
import { nodeAt, toJson } from '../../../domain/value.ts';
import { parsed, refusalOf } from './parsed.ts';

describe('an HCL file', () => {
  it('is read with its literals', () => {
    const text = [
      '# c',
      '// c',
      '/* c',
      '*/ region = "eu\\t\\u00e9\\U0001F600" // c',
      'count = -3',
      'big = 12345678901234567890',
      'f = 1.5e3',
      'ok = true',
      'none = null',
      'list = [1, "b", [],',
      '  { x = 1, "y z" : 2 }, # c',
      ']',
      'map = {',
      '  a = 1',
      '  b : "two",',
      '  3 = 4',
      '}',
      'literal = "a $${b} %%{c} $d %"',
      'doc = <<EOT',
      '  one "x" \\n',
      ' two',
      'EOT',
      'flush = <<-EOT',
      '    one',
      '      two',
      '    EOT',
    ].join('\r\n');
    expect(toJson(parsed(text, 'a.tfvars'))).toBe(
      '{"region":"eu\\té😀","count":-3,"big":12345678901234567890,"f":1500,"ok":true,"none":null,"list":[1,"b",[],{"x":1,"y z":2}],"map":{"a":1,"b":"two","3":4},"literal":"a ${b} %{c} $d %","doc":"  one \\"x\\" \\\\n\\n two\\n","flush":"one\\n  two\\n"}',
    );
  });

  it('nests blocks under their type and labels', () => {
    const text = 'server "web" {\n  port = 80\n  tls { on = true }\n}\nserver "api" "v1" {}\nlocals {\n}\n__proto__ { x = 1 }';
    expect(toJson(parsed(text, 'a.hcl'))).toBe('{"server":{"web":{"port":80,"tls":{"on":true}},"api":{"v1":{}}},"locals":{},"__proto__":{"x":1}}');
  });

  it('tells line and column of each value', () => {
    const node = parseDocument(new TextEncoder().encode('\uFEFFa {\r\n  b = [1,\r\n    "x"]\r\n}\r\n'), 'a.hcl');
    expect(nodeAt(node, ['a'])?.origin).toEqual({ file: 'a.hcl', line: 1, column: 1 });
    expect(nodeAt(node, ['a', 'b', '1'])?.origin).toEqual({ file: 'a.hcl', line: 3, column: 5 });
  });

  it.each([
    ['a duplicate attribute', 'a = 1\na = 2\n', 'a.hcl:2:1 a: the key is there twice, first in line 1; remove one'],
    ['a duplicate key', 'a = {\n  b = 1\n  b = 2\n}\n', 'a.hcl:3:3 a.b: the key is there twice, first in line 2; remove one'],
    ['a duplicate block', 'a "x" {}\na "x" {}\n', 'a.hcl:2:7 a.x: the block is there twice; give it a label, or write a list'],
    ['a block over an attribute', 'a = {}\na "x" {}\n', 'a.hcl:2:1 a: the key is there twice, first in line 1; remove one'],
    ['a labelled block over one without label', 'a {}\na "x" {}\n', 'a.hcl:2:1 a: the key is there twice, first in line 1; remove one'],
    ['a reference', 'a = var.x\n', 'a.hcl:1:5 a: not a literal; expressions, references and functions have no value here, write the value (text in quotes)'],
    ['a function', 'a = file("x")\n', 'a.hcl:1:5 a: not a literal; expressions, references and functions have no value here, write the value (text in quotes)'],
    ['bare text', 'a = b\n', 'a.hcl:1:5 a: not a literal; expressions, references and functions have no value here, write the value (text in quotes)'],
    [
      'a comprehension',
      'a = [for x in y : x]\n',
      'a.hcl:1:6 a.0: not a literal; expressions, references and functions have no value here, write the value (text in quotes)',
    ],
    ['an operator', 'a = 1 + 2\n', 'a.hcl:1:7: expected the end of the line; expressions have no value here, write the value'],
    ['a template', 'a = "x${b}"\n', 'a.hcl:1:7 a: a template has no value before it runs; write $${ for the text ${'],
    ['a directive in a heredoc', 'a = <<E\n%{ if x }\nE\n', 'a.hcl:2:1 a: a template has no value before it runs; write %%{ for the text %{'],
    ['an open quote', 'a = "x\n', 'a.hcl:1:5 a: the quote is not closed in its line'],
    ['an open heredoc', 'a = <<E\nx\n', 'a.hcl:1:5 a: the heredoc is not closed by a line with its name'],
    ['an open block', 'a {\n', 'a.hcl:2:1 a: the block is not closed by }'],
    ['an unknown escape', 'a = "\\x"\n', 'a.hcl:1:6 a: an unknown escape; write \\\\ for a backslash'],
    ['two attributes in a line', 'a = 1 b = 2\n', 'a.hcl:1:7: expected the end of the line; expressions have no value here, write the value'],
    ['a number too large', 'a = 1e999\n', 'a.hcl:1:5 a: the number is too large for a float; quote it if it is text'],
    ['a missing comma', 'a = [1 2]\n', 'a.hcl:1:8 a: expected , or ] behind an item'],
    ['a computed key', 'a = { (b) = 1 }\n', 'a.hcl:1:7 a: expected a key; a computed one has no value here'],
  ])('is refused for %s', (_, text, message) => {
    expect(refusalOf(text, 'a.hcl')).toBe(message);
  });

  it.each([
    ['lists', (depth: number) => `a = ${'['.repeat(depth)}${']'.repeat(depth)}`],
    ['objects', (depth: number) => `a = ${'{b='.repeat(depth)}1${'}'.repeat(depth)}`],
    ['blocks', (depth: number) => `${'b {\n'.repeat(depth)}${'}\n'.repeat(depth)}`],
    ['labels', (depth: number) => `b ${'x '.repeat(depth)} {}`],
  ])('is refused when its %s are nested too deeply', (_, text) => {
    expect(refusalOf(text(250), 'a.hcl')).toMatch(/^a\.hcl:\d+:\d+( [^ ]+)?: it is nested deeper than 200 levels$/);
    expect(refusalOf(text(100_000), 'a.hcl')).toMatch(/^a\.hcl:\d+:\d+( [^ ]+)?: it is nested deeper than 200 levels$/);
  });
});
