import type { Node, Origin, Path, Scalar } from '../../domain/value.ts';
import { MAX_DEPTH } from './document-limits.ts';
import { readHeredoc, readQuoted, type HclText } from './hcl-text.ts';
import { addEntry, mapDraft, type MapDraft } from './map-draft.ts';
import { duplicateKey, exactInteger, type SourceText } from './source-text.ts';

const BLANKS = /(?:[ \t\r]+|\/\*[\s\S]*?\*\/)*/y;
const BLANKS_AND_LINES = /(?:\s+|(?:#|\/\/)[^\n]*|\/\*[\s\S]*?\*\/)*/y;
const COMMENT_TO_END = /(?:#|\/\/)[^\n]*/y;
const IDENTIFIER = /[\p{L}_][\p{L}\p{N}_-]*/uy;
const NUMBER = /-?\d+(\.\d+)?([eE][+-]?\d+)?(?![\w.])/y;

/**
 * The part of HCL 2 that says values: attributes, blocks (maps under their type and labels), literals, lists, objects, heredocs.
 * What has to be evaluated is refused. Not done by HashiCorp's parser: its builds for JavaScript tell no position, and take expressions for text.
 */
export function parseHcl(source: SourceText): Node {
  return new HclReader(source).document();
}

class HclReader {
  readonly #source: SourceText;
  /** Maps that stand for a block type or label, which several blocks may share. */
  readonly #labels = new Set<Node>();
  #at = 0;

  constructor(source: SourceText) {
    this.#source = source;
  }

  document(): Node {
    const root = mapDraft(this.#source.originAt(0));
    this.#body(root, [], '');
    return root;
  }

  /** Attributes and blocks up to `close`, each ended by its line. */
  #body(map: MapDraft, path: Path, close: '' | '}'): void {
    for (;;) {
      this.#skip(BLANKS_AND_LINES);
      if (this.#at >= this.#source.text.length) {
        if (close) throw this.#refuse(`the block is not closed by ${close}`, path);
        return;
      }
      if (close && this.#takeChar(close)) return;
      const origin = this.#origin();
      const name = this.#take(IDENTIFIER);
      if (name === undefined) throw this.#refuse('expected the name of an attribute or block', path);
      this.#skip(BLANKS);
      if (this.#source.text[this.#at] === '=' && this.#source.text[this.#at + 1] !== '=') {
        this.#at++;
        this.#skip(BLANKS);
        addEntry(map, name, this.#value([...path, name]), [...path, name], origin);
      } else this.#block(map, name, path, origin);
      if (close && this.#blanksThen(close)) return;
      this.#endOfLine(path);
    }
  }

  #block(map: MapDraft, type: string, path: Path, origin: Origin): void {
    const names = [type];
    while (!this.#takeChar('{')) {
      const label = this.#source.text[this.#at] === '"' ? this.#text(readQuoted, [...path, type]) : this.#take(IDENTIFIER);
      if (label === undefined) throw this.#refuse('expected = or a block behind the name', path);
      names.push(label);
      this.#skip(BLANKS);
    }
    this.#checkDepth(path.length + names.length, path);
    const parent = this.#labelled(map, names.slice(0, -1), path, origin);
    const body = mapDraft(origin);
    const at = [...path, ...names];
    if (parent.entries.has(names.at(-1) ?? '')) throw this.#source.refuse(this.#at - 1, 'the block is there twice; give it a label, or write a list', at);
    parent.entries.set(names.at(-1) ?? '', body);
    this.#body(body, at, '}');
  }

  /** The map that the blocks of a type and its leading labels share. A map that an attribute or a block without that label made is another thing. */
  #labelled(map: MapDraft, names: readonly string[], path: Path, origin: Origin): MapDraft {
    let at = map;
    for (const [depth, name] of names.entries()) {
      const found = at.entries.get(name);
      if (found && !this.#labels.has(found)) throw duplicateKey(origin, found.origin, [...path, ...names.slice(0, depth + 1)]);
      const next = (found as MapDraft | undefined) ?? mapDraft(origin);
      this.#labels.add(next);
      at.entries.set(name, next);
      at = next;
    }
    return at;
  }

  #value(path: Path): Node {
    this.#checkDepth(path.length, path);
    const origin = this.#origin();
    const char = this.#source.text[this.#at];
    if (char === '"') return { kind: 'scalar', value: this.#text(readQuoted, path), origin };
    if (char === '<') return { kind: 'scalar', value: this.#text(readHeredoc, path), origin };
    if (this.#takeChar('[')) return this.#list(path, origin);
    if (this.#takeChar('{')) return this.#object(path, origin);
    return { kind: 'scalar', value: this.#literal(path), origin };
  }

  #literal(path: Path): Scalar {
    const start = this.#at;
    const number = this.#take(NUMBER);
    if (number !== undefined) {
      if (/^-?\d+$/.test(number)) return exactInteger(BigInt(number));
      if (!Number.isFinite(Number(number))) throw this.#source.refuse(start, 'the number is too large for a float; quote it if it is text', path);
      return Number(number);
    }
    const word = this.#take(IDENTIFIER);
    const next = this.#source.text[this.#at];
    if (word !== undefined && next !== '.' && next !== '(' && next !== '[') {
      if (word === 'true' || word === 'false') return word === 'true';
      if (word === 'null') return null;
    }
    throw this.#source.refuse(start, 'not a literal; expressions, references and functions have no value here, write the value (text in quotes)', path);
  }

  #list(path: Path, origin: Origin): Node {
    const items: Node[] = [];
    for (;;) {
      this.#skip(BLANKS_AND_LINES);
      if (this.#takeChar(']')) return { kind: 'list', items, origin };
      items.push(this.#value([...path, String(items.length)]));
      this.#skip(BLANKS_AND_LINES);
      if (!this.#takeChar(',') && this.#source.text[this.#at] !== ']') throw this.#refuse('expected , or ] behind an item', path);
    }
  }

  #object(path: Path, origin: Origin): Node {
    const map = mapDraft(origin);
    for (;;) {
      this.#skip(BLANKS_AND_LINES);
      if (this.#takeChar('}')) return map;
      const at = this.#origin();
      const key = this.#source.text[this.#at] === '"' ? this.#text(readQuoted, path) : (this.#take(IDENTIFIER) ?? this.#take(NUMBER));
      if (key === undefined) throw this.#refuse('expected a key; a computed one has no value here', path);
      this.#skip(BLANKS);
      if (!this.#takeChar('=') && !this.#takeChar(':')) throw this.#refuse('expected = or : behind a key', [...path, key]);
      this.#skip(BLANKS);
      addEntry(map, key, this.#value([...path, key]), [...path, key], at);
      if (this.#blanksThen(',') || this.#source.text[this.#at] === '}') continue;
      this.#endOfLine(path);
    }
  }

  #endOfLine(path: Path): void {
    this.#skip(BLANKS);
    this.#skip(COMMENT_TO_END);
    if (this.#at < this.#source.text.length && this.#source.text[this.#at] !== '\n') {
      throw this.#refuse('expected the end of the line; expressions have no value here, write the value', path);
    }
  }

  #text(read: (source: SourceText, start: number, path: Path) => HclText, path: Path): string {
    const { text, end } = read(this.#source, this.#at, path);
    this.#at = end;
    return text;
  }

  #blanksThen(char: string): boolean {
    this.#skip(BLANKS);
    return this.#takeChar(char);
  }

  #takeChar(char: string): boolean {
    if (this.#source.text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source.text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #skip(pattern: RegExp): void {
    this.#take(pattern);
  }

  #checkDepth(depth: number, path: Path): void {
    if (depth > MAX_DEPTH) throw this.#refuse(`it is nested deeper than ${MAX_DEPTH} levels`, path.slice(0, 3));
  }

  #origin(): Origin {
    return this.#source.originAt(this.#at);
  }

  #refuse(message: string, path: Path): Error {
    return this.#source.refuse(this.#at, message, path);
  }
}
