import { ParseError, parseTOML, type AST } from 'toml-eslint-parser';
import type { Node, Path, Scalar } from '../../domain/value.ts';
import { mapDraft, type MapDraft } from './map-draft.ts';
import { exactInteger, type SourceText } from './source-text.ts';

interface ListDraft {
  readonly kind: 'list';
  readonly items: Node[];
  readonly origin: Node['origin'];
}

/** TOML 1.0; dates become ISO 8601 strings. The parser refuses duplicate keys and tables itself. */
export function parseToml(source: SourceText): Node {
  const program = parse(source);
  const root = mapDraft(source.originAt(0));
  for (const item of program.body[0].body) {
    if (item.type === 'TOMLKeyValue') addKeyValue(source, root, item, []);
    else {
      const map = tableAt(source, root, item);
      for (const each of item.body) addKeyValue(source, map, each, item.resolvedKey.map(String));
    }
  }
  return root;
}

function parse(source: SourceText): AST.TOMLProgram {
  try {
    return parseTOML(source.text, { tomlVersion: '1.0' });
  } catch (error) {
    if (error instanceof ParseError) throw source.refuse(error.index, `not valid TOML: ${error.message}`);
    throw error;
  }
}

/** The map of a `[table]` or of the newest item of a `[[table]]`: the key as the parser resolved it, numbers being indexes of such lists. */
function tableAt(source: SourceText, root: MapDraft, table: AST.TOMLTable): MapDraft {
  const origin = source.originAt(table.range[0]);
  let at: MapDraft | ListDraft = root;
  for (const [depth, step] of table.resolvedKey.entries()) {
    const found: Node | undefined = at.kind === 'map' ? at.entries.get(String(step)) : at.items[Number(step)];
    const isList = typeof table.resolvedKey[depth + 1] === 'number';
    // Whatever is on the way was made here: the parser refuses to reopen inline tables and values.
    const next: MapDraft | ListDraft = (found as MapDraft | ListDraft | undefined) ?? (isList ? { kind: 'list', items: [], origin } : mapDraft(origin));
    if (!found && at.kind === 'map') at.entries.set(String(step), next);
    else if (!found && at.kind === 'list') at.items.push(next);
    at = next;
  }
  return at as MapDraft;
}

function addKeyValue(source: SourceText, map: MapDraft, pair: AST.TOMLKeyValue, path: Path): void {
  const names = pair.key.keys.map((key) => (key.type === 'TOMLBare' ? key.name : key.value));
  const last = names.pop() ?? '';
  let at = map;
  for (const name of names) {
    const next = (at.entries.get(name) as MapDraft | undefined) ?? mapDraft(source.originAt(pair.range[0]));
    at.entries.set(name, next);
    at = next;
  }
  at.entries.set(last, convert(source, pair.value, [...path, ...names, last]));
}

function convert(source: SourceText, node: AST.TOMLContentNode, path: Path): Node {
  const origin = source.originAt(node.range[0]);
  if (node.type === 'TOMLArray') return { kind: 'list', items: node.elements.map((item, index) => convert(source, item, [...path, String(index)])), origin };
  if (node.type === 'TOMLInlineTable') {
    const map = mapDraft(origin);
    for (const pair of node.body) addKeyValue(source, map, pair, path);
    return map;
  }
  return { kind: 'scalar', value: scalarOf(source, node, path), origin };
}

function scalarOf(source: SourceText, node: AST.TOMLValue, path: Path): Scalar {
  switch (node.kind) {
    case 'integer':
      return exactInteger(node.bigint);
    case 'float':
      if (!Number.isFinite(node.value)) throw source.refuse(node.range[0], 'infinity and NaN are not values of a configuration; quote it if it is text', path);
      return node.value;
    case 'string':
    case 'boolean':
      return node.value;
    default:
      return node.datetime.replace(/^(\d{4}-\d\d-\d\d)[t ]/, '$1T').replace(/z$/, 'Z');
  }
}
