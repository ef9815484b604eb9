import { leafText } from '../../domain/flatten.ts';
import { formatPath, isMap, type Path, type Value } from '../../domain/value.ts';
import { cannotRender, NO_KEYS, quoted, sortedEntries } from './rendering.ts';

/** A section a map, its name the dotted path; keys of the document itself stand before the first section. */
export function renderIni(value: ReadonlyMap<string, Value>): string {
  return section(value, []) || NO_KEYS;
}

function section(map: ReadonlyMap<string, Value>, path: Path): string {
  const lines: string[] = [];
  const sections: string[] = [];
  for (const [name, child] of sortedEntries(map)) {
    const at = [...path, name];
    if (child === null) continue;
    if (isMap(child)) sections.push(section(child, at));
    else lines.push(`${keyText(name, at)} =${valueText(leafText(child), at)}\n`);
  }
  const header = path.length > 0 && (lines.length > 0 || sections.length === 0) ? `[${sectionText(path)}]\n` : '';
  return [header + lines.join(''), ...sections].filter(Boolean).join('\n');
}

function sectionText(path: Path): string {
  const text = formatPath(path);
  if (/[[\]"'\u0000-\u001f\u007f]/.test(text) || text.trim() !== text || path.includes('')) {
    throw cannotRender(path, 'it cannot be the name of an INI section: brackets, quotes, outer blanks and control characters have no escape there');
  }
  return text;
}

function keyText(name: string, path: Path): string {
  if (!/^[^\s[;#"'=:\u0000-\u001f\u007f]([^=:\u0000-\u001f\u007f]*[^\s=:\u0000-\u001f\u007f])?$/.test(name)) {
    throw cannotRender(path, 'it cannot be the name of an INI key: = and :, a bracket, quote or comment sign in front, and outer blanks have no escape there');
  }
  return name;
}

/** Bare only where no reader sees a comment, a quote or an escape in it. */
function valueText(text: string, path: Path): string {
  if (text.includes('\0')) throw cannotRender(path, 'an INI file cannot hold NUL; choose another format');
  if (text === '') return '';
  return ` ${text.trim() !== text || /[;#\u0000-\u001f\u007f]/.test(text) || /^["']/.test(text) ? quoted(text) : text}`;
}
