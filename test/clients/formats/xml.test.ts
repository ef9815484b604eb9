import { describe, expect, it } from 'vitest';
import { parseDocument } from '../../../clients/formats/parse-document.ts';
import { nodeAt, toJson } from '../../../domain/value.ts';
import { parsed, refusalOf } from './parsed.ts';

describe('an XML file', () => {
  it('is read as a map of the root: elements, attributes, texts and lists', () => {
    const text =
      '<?xml version="1.0" encoding="UTF-8"?>\r\n<!-- c -->\n<config env="prod">\n  <host port="80">a &amp; &#x62;</host>\n  <host port="81"/>\n  <name> x <![CDATA[<y>]]></name>\n  <empty/>\n  <item>1</item><item>2</item><item>3</item>\n  <__proto__><constructor>z</constructor></__proto__>\n</config>\n';
    expect(toJson(parsed(text, 'a.xml'))).toBe(
      '{"@env":"prod","host":[{"@port":"80","#text":"a & b"},{"@port":"81"}],"name":" x <y>","empty":"","item":["1","2","3"],"__proto__":{"constructor":"z"}}',
    );
  });

  it('tells line and column of each value', () => {
    const node = parseDocument(new TextEncoder().encode('\uFEFF<config>\r\n  <a b="é😀" c = \'1\'>\r\n    <d>x</d>\r\n  </a>\r\n</config>\r\n'), 'a.xml');
    expect(nodeAt(node, ['a'])?.origin).toEqual({ file: 'a.xml', line: 2, column: 3 });
    expect(nodeAt(node, ['a', '@b'])?.origin).toEqual({ file: 'a.xml', line: 2, column: 8 });
    expect(nodeAt(node, ['a', '@c'])?.origin).toEqual({ file: 'a.xml', line: 2, column: 18 });
    expect(nodeAt(node, ['a', 'd'])?.origin).toEqual({ file: 'a.xml', line: 3, column: 8 });
  });

  it('takes an empty root for a map without keys', () => {
    expect(parsed('<config/>', 'a.xml')).toEqual(new Map());
    expect(parsed('<config>\n</config>', 'a.xml')).toEqual(new Map());
  });

  it.each([
    ['a document type', '<!DOCTYPE a [<!ENTITY b "c">]>\n<a>&b;</a>', /^a\.xml:1:1: a document type is not allowed; remove it$/],
    ['an entity of its own', '<a>\n<b>&c;</b></a>', /^a\.xml:2:\d+ b: not valid XML: undefined entity/],
    ['text beside elements', '<a>x<b/></a>', /^a\.xml:1:4: it has text beside elements/],
    ['a root of text', '<a>x</a>', /^a\.xml:1:4: the document must be a map of keys, it is a single value$/],
    ['a duplicate attribute', '<a b="1" b="2"/>', /^a\.xml:1:\d+( @b)?: (not valid XML: duplicate attribute|the key is there twice)/],
    ['another encoding', '<?xml version="1.0" encoding="latin1"?><a/>', /^a\.xml:1:1: it says that its encoding is latin1/],
    ['an open element', '<a>\n<b>', /^a\.xml:2:\d+ b: not valid XML: unclosed tag/],
    ['a wrong closing tag', '<a>\n<b></c></a>', /^a\.xml:2:\d+: not valid XML: unexpected close tag/],
    ['two roots', '<a/>\n<b/>', /^a\.xml:2:\d+: not valid XML: /],
    ['plain text', 'hello', /^a\.xml:1:\d+: not valid XML: /],
  ])('is refused for %s', (_, text, message) => {
    expect(refusalOf(text, 'a.xml')).toMatch(message);
  });

  it.each([250, 100_000])('is refused when it is nested %d levels deep', (depth) => {
    expect(refusalOf('<a>'.repeat(depth), 'a.xml')).toBe('a.xml:1:604: it is nested deeper than 200 levels');
  });
});
