import { SaxesParser } from 'saxes';
import type { Node, Path } from '../../domain/value.ts';
import { addEntry, mapDraft, type MapDraft } from './map-draft.ts';
import { MAX_DEPTH } from './document-limits.ts';
import type { SourceText } from './source-text.ts';

interface Element {
  readonly name: string;
  readonly map: MapDraft;
  /** Where its content starts. */
  content: number;
  text: string;
  /** Names whose list already exists. */
  readonly repeated: Map<string, Node[]>;
  hasChildren: boolean;
}

/**
 * The root element is the document. An element is a map of its attributes (`@name`) and elements, one that only has text a string, elements of
 * one name a list; text beside attributes is `#text`. Text beside elements, document types and entities of one's own are refused.
 */
export function parseXml(source: SourceText): Node {
  const parser = new SaxesParser({ position: false });
  const open: Element[] = [];
  let root: Node | undefined;

  function path(): Path {
    return open.slice(1).map(({ name }) => name);
  }

  parser.on('error', (error) => {
    throw source.refuse(parser.position, `not valid XML: ${error.message.replace(/\.$/, '')}`, path());
  });
  parser.on('doctype', () => {
    throw source.refuse(source.text.indexOf('<!DOCTYPE'), 'a document type is not allowed; remove it');
  });
  parser.on('xmldecl', ({ encoding }) => {
    if (encoding && !/^utf-?8$/i.test(encoding)) throw source.refuse(0, `it says that its encoding is ${encoding}; files are read as UTF-8`);
  });
  parser.on('opentagstart', ({ name }) => {
    const start = source.text.lastIndexOf('<', parser.position - 1);
    if (open.length > MAX_DEPTH) throw source.refuse(start, `it is nested deeper than ${MAX_DEPTH} levels`);
    open.push({ name, map: mapDraft(source.originAt(start)), content: 0, text: '', repeated: new Map(), hasChildren: false });
  });
  parser.on('attribute', ({ name, value }) => {
    const element = open.at(-1);
    // The position is behind the closing quote, and a value cannot hold its own quote.
    const quote = source.text.lastIndexOf(source.text[parser.position - 1] ?? '"', parser.position - 2);
    if (element) addEntry(element.map, `@${name}`, { kind: 'scalar', value, origin: source.originAt(quote) }, [...path(), `@${name}`]);
  });
  parser.on('opentag', () => {
    const element = open.at(-1);
    if (element) element.content = parser.position;
  });
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('closetag', () => {
    const element = open.at(-1);
    if (!element) return;
    const node = nodeOf(source, element, open.length === 1, path());
    open.pop();
    const parent = open.at(-1);
    if (parent) addChild(parent, element.name, node);
    else root = node;
  });
  parser.write(source.text).close();
  if (!root) throw source.refuse(0, 'not valid XML: there is no element');
  return root;

  function addText(text: string): void {
    const element = open.at(-1);
    if (element) element.text += text;
  }
}

function nodeOf(source: SourceText, element: Element, isRoot: boolean, path: Path): Node {
  const { map, text, hasChildren } = element;
  const origin = source.originAt(element.content);
  if (hasChildren || (isRoot && text.trim() === '')) {
    if (text.trim() !== '')
      throw source.refuse(element.content, 'it has text beside elements, which has no place in a map; put the text into an element', path);
    return map;
  }
  const scalar: Node = { kind: 'scalar', value: text, origin };
  if (map.entries.size === 0) return scalar;
  if (text !== '') map.entries.set('#text', scalar);
  return map;
}

function addChild(parent: Element, name: string, node: Node): void {
  parent.hasChildren = true;
  const first = parent.map.entries.get(name);
  const list = parent.repeated.get(name);
  if (list) list.push(node);
  else if (first) {
    const items = [first, node];
    parent.repeated.set(name, items);
    parent.map.entries.set(name, { kind: 'list', items, origin: first.origin });
  } else parent.map.entries.set(name, node);
}
