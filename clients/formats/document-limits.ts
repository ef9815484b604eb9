import type { Node, Path } from '../../domain/value.ts';
import { refusal } from './source-text.ts';

/** Levels of maps and lists. Hand-written files have ten; thousands overflow the stack of whoever walks them. */
export const MAX_DEPTH = 200;
/** Values of one document once its aliases are written out. */
export const MAX_VALUES = 1_000_000;
/** Characters of its keys and texts, counted like the values: an alias of a long text takes two bytes of the file. */
export const MAX_CHARACTERS = 16 * 1024 * 1024;
/** Size of one file: what the smallest sinks take at all, and seconds of parsing in the slower formats, during which nothing else runs. */
export const MAX_BYTES = 1024 * 1024;

/** Refuses what every format can say and nothing behind the parsers could take: bottomless nesting, alias bombs, text that is not Unicode. */
export function checkLimits(root: Node): void {
  let values = 0;
  let characters = 0;

  function count(text: string): void {
    characters += text.length;
    if (characters > MAX_CHARACTERS) throw refusal(root.origin, `it has more than ${MAX_CHARACTERS} characters once its aliases are written out`);
  }

  function check(node: Node, path: Path): void {
    values++;
    if (values > MAX_VALUES) throw refusal(root.origin, `it has more than ${MAX_VALUES} values once its aliases are written out`);
    if (path.length > MAX_DEPTH) throw refusal(node.origin, `it is nested deeper than ${MAX_DEPTH} levels`);
    if (node.kind === 'scalar') {
      if (typeof node.value !== 'string') return;
      count(node.value);
      if (!node.value.isWellFormed()) throw refusal(node.origin, 'the text has one half of a surrogate pair', path);
    } else if (node.kind === 'list') node.items.forEach((item, index) => check(item, [...path, String(index)]));
    else {
      for (const [key, child] of node.entries) {
        count(key);
        if (!key.isWellFormed()) throw refusal(child.origin, 'the key has one half of a surrogate pair', path);
        check(child, [...path, key]);
      }
    }
  }

  check(root, []);
}
