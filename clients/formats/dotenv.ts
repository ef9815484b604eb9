import type { Node } from '../../domain/value.ts';
import { addEntry, mapDraft } from './map-draft.ts';
import type { SourceText } from './source-text.ts';

const BLANK = /[ \t]*(#[^\n]*)?(\r?\n|$)/y;
const NAME = /[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=[ \t]*/y;
const REST = /[^\n]*/y;
const AFTER_QUOTE = /[ \t]*([ \t]#[^\n]*)?(\r?\n|$)/y;

/**
 * Values mean what the `dotenv` library takes them for (the tests compare): single quotes and backticks are literal, double quotes know `\n` and
 * `\r`, `$` is a `$`. What it would skip or cut silently is refused: a line that is no assignment, an unquoted `#` inside a value, a name twice.
 */
export function parseDotenv(source: SourceText): Node {
  const { text } = source;
  const root = mapDraft(source.originAt(0));
  let at = 0;

  function take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at = pattern.lastIndex;
    return match;
  }

  while (at < text.length) {
    if (take(BLANK)) continue;
    const lineStart = at;
    const name = take(NAME)?.[1];
    if (name === undefined) throw source.refuse(lineStart, 'not an assignment; write NAME=value, or # in front of a comment');
    const start = at;
    const value = readValue(source, start, name);
    at = value.end;
    if (value.quoted && !take(AFTER_QUOTE)) throw source.refuse(at, 'there is text behind the closing quote; put quotes around all of it', [name]);
    addEntry(root, name, { kind: 'scalar', value: value.text, origin: source.originAt(start) }, [name], source.originAt(lineStart));
  }
  return root;

  function readValue(from: SourceText, start: number, key: string): { text: string; end: number; quoted: boolean } {
    const quote = text[start];
    if (quote !== '"' && quote !== "'" && quote !== '`') {
      const line = take(REST)?.[0] ?? '';
      const comment = /(^|\s)#/.exec(line);
      const bare = (comment ? line.slice(0, comment.index) : line).trim();
      const hash = bare.indexOf('#');
      if (hash !== -1)
        throw from.refuse(start + hash, 'an unquoted # starts a comment for some readers and not for others; put quotes around the value', [key]);
      return { text: bare, end: at, quoted: false };
    }
    const end = closingQuote(text, start, quote);
    if (end === -1) throw from.refuse(start, `the quote ${quote} is not closed`, [key]);
    const inner = text.slice(start + 1, end).replaceAll(/\r\n?/g, '\n');
    return { text: quote === '"' ? inner.replaceAll('\\n', '\n').replaceAll('\\r', '\r') : inner, end: end + 1, quoted: true };
  }
}

/** A quote behind a backslash does not close, whatever the backslash itself means. */
function closingQuote(text: string, start: number, quote: string): number {
  let end = text.indexOf(quote, start + 1);
  while (end !== -1 && text[end - 1] === '\\') end = text.indexOf(quote, end + 1);
  return end;
}
