import { Properties, type PropertyNode } from 'properties-file/parser';
import { parsePath, type Node } from '../../domain/value.ts';
import { addEntry, descend, mapDraft } from './map-draft.ts';
import { refusal, type SourceText } from './source-text.ts';

/**
 * Java properties as UTF-8 or with `\u` escapes; every value is a string. Dots in keys nest (`\\.` in the file is a literal dot), so that such a
 * file can overlay a nested one and a key cannot be a value and a map at once.
 */
export function parseProperties(source: SourceText): Node {
  const root = mapDraft(source.originAt(0));
  for (const property of propertiesOf(source)) {
    const line = property.startingLineNumber;
    const at = { file: source.file, line, column: property.leadingWhitespace.length + 1 };
    const path = parsePath(property.key);
    const map = descend(root, path.slice(0, -1), at);
    const existing = map.entries.get(path.at(-1) ?? '');
    if (existing?.kind === 'map') throw refusal(at, `it is a value here and a map in line ${existing.origin.line}; rename one of them`, path);
    addEntry(map, path.at(-1) ?? '', { kind: 'scalar', value: property.value, origin: { ...at, column: valueColumn(property) } }, path, at);
  }
  return root;
}

function propertiesOf(source: SourceText): PropertyNode[] {
  try {
    return new Properties(source.text).getProperties();
  } catch {
    // The one thing that the library refuses; it says neither where, nor keeps the text out of its message.
    const malformed = /^(?![ \t\f]*[#!])(?:[^\\\n]|\\(?!u)[^\n]|\\u[0-9a-fA-F]{4})*\\u(?![0-9a-fA-F]{4})/m.exec(source.text);
    const offset = malformed ? malformed.index + malformed[0].length - 2 : 0;
    throw source.refuse(offset, '\\u must be followed by four hexadecimal digits');
  }
}

/** The column of the value, or of the key where the value starts in a line that continues it. */
function valueColumn(property: PropertyNode): number {
  const { leadingWhitespace, escapedKey, separatorLeading, separatorChar, separatorTrailing, rawLines } = property;
  const column = [leadingWhitespace, escapedKey, separatorLeading, separatorChar ?? '', separatorTrailing].join('').length + 1;
  return column <= (rawLines[0]?.length ?? 0) ? column : leadingWhitespace.length + 1;
}
