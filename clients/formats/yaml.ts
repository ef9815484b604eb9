import { isAlias, isPair, isScalar, isSeq, parseDocument, type Alias, type Pair, type ParsedNode, type Scalar as YamlScalar } from 'yaml';
import type { InvalidInput } from '../../domain/problem.ts';
import type { MapNode, Node, Path, Scalar } from '../../domain/value.ts';
import { duplicateKey, exactInteger, type SourceText } from './source-text.ts';

/** Tags of the YAML 1.2 core schema; everything else would be a type that the value model does not have. */
const CORE_TAG = /^tag:yaml\.org,2002:(map|seq|str|null|bool|int|float)$/;

/**
 * YAML 1.2 core: `yes` and dates are strings. Aliases and the merge key `<<` are resolved, a value keeps the origin of its anchor.
 * Keys are strings; numbers and booleans as keys are taken as they are written.
 */
export function parseYaml(source: SourceText): Node {
  // Its own check for duplicate keys compares each with each. `silent` would also silence the error for a second document.
  const document = parseDocument(source.text, {
    version: '1.2',
    schema: 'core',
    intAsBigInt: true,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
  });
  const [error] = document.errors;
  if (error) {
    if (error.code === 'MULTIPLE_DOCS') throw source.refuse(error.pos[0], 'a second YAML document starts here; a file holds one, split it');
    if (error.code === 'RESOURCE_EXHAUSTION') throw source.refuse(error.pos[0], 'it is nested too deeply');
    // Some messages end in the text that they are about, which may be a secret.
    throw source.refuse(error.pos[0], `not valid YAML: ${error.message.replace(/(:| ["'`]).*$/s, '')}`);
  }
  if (document.directives.yaml.explicit && document.directives.yaml.version !== '1.2') {
    throw source.refuse(0, `it says %YAML ${document.directives.yaml.version}, where unquoted words have other types; write YAML 1.2`);
  }
  if (document.contents === null) throw source.refuse(0, 'it has only comments; write {} if it is meant to have no keys');
  return new Converter(source).convert(document.contents, []);
}

class Converter {
  readonly #source: SourceText;
  readonly #anchors = new Map<string, Node>();

  constructor(source: SourceText) {
    this.#source = source;
  }

  convert(node: ParsedNode | null, path: Path, offset = 0): Node {
    if (node === null) return { kind: 'scalar', value: null, origin: this.#source.originAt(offset) };
    if (isAlias(node)) return this.#resolve(node, path);
    // Inside the node its own anchor must not mean an older one of the same name.
    if (node.anchor !== undefined) this.#anchors.delete(node.anchor);
    const converted = this.#convertOwn(node, path);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, converted);
    return converted;
  }

  #convertOwn(node: Exclude<ParsedNode, Alias.Parsed>, path: Path): Node {
    const offset = node.range[0];
    if (node.tag !== undefined && !CORE_TAG.test(node.tag))
      throw this.#refuse(offset, 'its tag is not of the YAML core schema; remove it, or quote the text if the ! belongs to it', path);
    const origin = this.#source.originAt(offset);
    if (isScalar(node)) return { kind: 'scalar', value: this.#scalar(node, path), origin };
    if (isSeq(node)) {
      const items = node.items.map((item, index) => {
        if (isPair(item)) throw this.#refuse(offset, 'a list may not hold pairs; write maps', path);
        return this.convert(item, [...path, String(index)], offset);
      });
      return { kind: 'list', items, origin };
    }
    return this.#map(node.items, path, origin);
  }

  #map(pairs: readonly Pair<ParsedNode, ParsedNode | null>[], path: Path, origin: MapNode['origin']): MapNode {
    const entries = new Map<string, Node>();
    const merged = new Map<string, Node>();
    for (const { key, value } of pairs) {
      const offset = key.range[0];
      if (isMergeKey(key)) {
        for (const base of this.#merge(value, offset, path)) for (const [name, child] of base.entries) if (!merged.has(name)) merged.set(name, child);
        continue;
      }
      const name = this.#key(key, path);
      const first = entries.get(name);
      if (first) throw duplicateKey(this.#source.originAt(offset), first.origin, [...path, name]);
      entries.set(name, this.convert(value, [...path, name], key.range[1]));
    }
    for (const [name, child] of merged) if (!entries.has(name)) entries.set(name, child);
    return { kind: 'map', entries, origin };
  }

  #merge(value: ParsedNode | null, offset: number, path: Path): MapNode[] {
    const node = this.convert(value, [...path, '<<'], offset);
    const bases = node.kind === 'list' ? node.items : [node];
    return bases.map((base) => {
      if (base.kind !== 'map') throw this.#refuse(offset, 'the merge key << takes a map or a list of maps; quote it if it is a name', path);
      return base;
    });
  }

  #resolve(alias: Alias.Parsed, path: Path): Node {
    const target = this.#anchors.get(alias.source);
    // Not named: it may be a password that starts with a *.
    if (!target) throw this.#refuse(alias.range[0], 'the alias has no anchor before it, or is inside of it; quote the text if the * belongs to it', path);
    return target;
  }

  #key(key: ParsedNode, path: Path): string {
    if (!isScalar(key)) throw this.#refuse(key.range[0], 'a key must be plain text, not a map, list or alias', path);
    if (typeof key.value === 'string') return key.value;
    if (key.value === null && key.source === '') throw this.#refuse(key.range[0], 'a key is missing', path);
    return key.source ?? String(key.value);
  }

  #scalar(node: YamlScalar.Parsed, path: Path): Scalar {
    const value: unknown = node.value;
    if (typeof value === 'bigint') return exactInteger(value);
    if (typeof value === 'number') {
      if (!Number.isFinite(value)) throw this.#refuse(node.range[0], 'infinity and NaN are not values of a configuration; quote it if it is text', path);
      return value;
    }
    if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
    throw this.#refuse(node.range[0], 'it has a type that is not of the YAML core schema', path);
  }

  #refuse(offset: number, message: string, path: Path): InvalidInput {
    return this.#source.refuse(offset, message, path);
  }
}

function isMergeKey(key: ParsedNode): boolean {
  return isScalar(key) && key.value === '<<' && key.type === 'PLAIN';
}
