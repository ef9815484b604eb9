import type { Path } from '../../domain/value.ts';
import type { SourceText } from './source-text.ts';

const ESCAPE = /\\(?:n|r|t|"|\\|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})/y;
const NAMED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\' };

export interface HclText {
  readonly text: string;
  readonly end: number;
}

/** A quoted string of HCL whose opening quote is at `start`. Templates are refused: their value is known only to a program that runs them. */
export function readQuoted(source: SourceText, start: number, path: Path): HclText {
  let text = '';
  let at = start + 1;
  for (;;) {
    const char = source.text[at];
    if (char === undefined || char === '\n') throw source.refuse(start, 'the quote is not closed in its line', path);
    if (char === '"') return { text, end: at + 1 };
    if (char === '\\') {
      ESCAPE.lastIndex = at;
      const escape = ESCAPE.exec(source.text)?.[0];
      if (!escape) throw source.refuse(at, 'an unknown escape; write \\\\ for a backslash', path);
      const code = escape.length > 2 ? Number.parseInt(escape.slice(2), 16) : undefined;
      if (code !== undefined && code > 0x10ffff) throw source.refuse(at, 'there is no such character', path);
      text += code === undefined ? NAMED[escape.slice(1)] : String.fromCodePoint(code);
      at += escape.length;
    } else if (char === '$' || char === '%') {
      const literal = readSign(source, at, path);
      text += literal.text;
      at = literal.end;
    } else {
      text += char;
      at++;
    }
  }
}

/** A heredoc whose `<<` is at `start`; `<<-` takes the common indentation away. It has no escapes, and ends in a line feed. */
export function readHeredoc(source: SourceText, start: number, path: Path): HclText {
  const opening = /<<(-?)([\p{L}_][\p{L}\p{N}_-]*)[ \t]*\r?\n/uy;
  opening.lastIndex = start;
  const [, flush, marker = ''] = opening.exec(source.text) ?? [];
  if (!marker) throw source.refuse(start, 'not the head of a heredoc; write <<NAME at the end of a line', path);
  const lines: string[] = [];
  for (let at = opening.lastIndex; ;) {
    const newline = source.text.indexOf('\n', at);
    const end = newline === -1 ? source.text.length : newline;
    const line = source.text.slice(at, end).replace(/\r$/, '');
    if (line.trim() === marker) return { text: (flush ? withoutIndent(lines) : lines).map((each) => `${each}\n`).join(''), end };
    if (newline === -1) throw source.refuse(start, 'the heredoc is not closed by a line with its name', path);
    lines.push(literalLine(source, at, line, path));
    at = newline + 1;
  }
}

function literalLine(source: SourceText, start: number, line: string, path: Path): string {
  let text = '';
  for (let at = 0; at < line.length;) {
    if (line[at] === '$' || line[at] === '%') {
      const literal = readSign(source, start + at, path);
      text += literal.text;
      at = literal.end - start;
    } else text += line[at++];
  }
  return text;
}

/** `$` and `%` are themselves unless a brace follows; `$${` is a literal `${`. */
function readSign(source: SourceText, at: number, path: Path): HclText {
  const sign = source.text[at] ?? '';
  if (source.text[at + 1] === '{') throw source.refuse(at, `a template has no value before it runs; write ${sign}${sign}{ for the text ${sign}{`, path);
  if (source.text[at + 1] === sign && source.text[at + 2] === '{') return { text: `${sign}{`, end: at + 3 };
  return { text: sign, end: at + 1 };
}

function withoutIndent(lines: readonly string[]): string[] {
  const indent = Math.min(...lines.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length));
  return lines.map((line) => line.slice(Math.min(indent, line.length - line.trimStart().length)));
}
