import { formatPath, parsePath, type Node, type Path } from '../../domain/value.ts';
import { addEntry, descend, mapDraft } from './map-draft.ts';
import type { SourceText } from './source-text.ts';

/**
 * Sections are maps, dots in their names nest; every value is a string. INI has no standard, so what its readers take differently is refused:
 * lines without `=`, `:` before it, comments behind a value, sections that come twice.
 */
export function parseIni(source: SourceText): Node {
  const root = mapDraft(source.originAt(0));
  const opened = new Map<string, number>();
  let section = root;
  let path: Path = [];
  let offset = 0;
  for (const line of source.text.split('\n')) {
    const trimmed = line.trim();
    const start = offset + line.length - line.trimStart().length;
    offset += line.length + 1;
    if (trimmed === '' || trimmed.startsWith(';') || trimmed.startsWith('#')) continue;
    if (trimmed.startsWith('[')) {
      path = sectionPath(source, start, trimmed);
      const first = opened.get(formatPath(path));
      if (first !== undefined) throw source.refuse(start, `the section is there twice, first in line ${first}; join them`, path);
      opened.set(formatPath(path), source.originAt(start).line);
      section = descend(root, path, source.originAt(start));
    } else {
      // By hand and not by one pattern, which takes quadratic time on a line of blanks.
      const equals = trimmed.indexOf('=');
      const key = trimmed.slice(0, Math.max(equals, 0)).trimEnd();
      const text = trimmed.slice(equals + 1).trimStart();
      if (key === '') throw source.refuse(start, 'not a section or key; write key = value, or ; in front of a comment', path);
      if (key.includes(':')) throw source.refuse(start, 'a : in front of the = parts key and value for some readers and not for others', path);
      const at = text === '' ? start : start + trimmed.length - text.length;
      const keyPath = [...path, key];
      addEntry(section, key, { kind: 'scalar', value: valueOf(source, at, text, keyPath), origin: source.originAt(at) }, keyPath, source.originAt(start));
    }
  }
  return root;
}

function sectionPath(source: SourceText, start: number, line: string): Path {
  const name = line.slice(1, -1).trim();
  const path = line.endsWith(']') && !/[[\]"']/.test(name) ? parsePath(name) : [''];
  if (path.includes('')) throw source.refuse(start, 'not the head of a section; write [name] or [name.inner], alone in its line and without quotes');
  return path;
}

function valueOf(source: SourceText, at: number, text: string, path: Path): string {
  if (/^'[^']*'$/.test(text)) return text.slice(1, -1);
  if (text.startsWith('"') || text.startsWith("'")) {
    try {
      return JSON.parse(text) as string;
    } catch {
      throw source.refuse(at, 'not a quoted text: double quotes take the escapes of JSON, single quotes none, and nothing may follow them', path);
    }
  }
  const comment = /\s[;#]/.exec(text);
  if (comment) {
    throw source.refuse(
      at + comment.index + 1,
      'a comment behind a value belongs to the value for some readers; move it to a line of its own, or quote the value',
      path,
    );
  }
  return text;
}
