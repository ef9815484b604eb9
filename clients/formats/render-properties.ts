import { escapeKey, escapeValue } from 'properties-file/escape';
import { flatten, leafText } from '../../domain/flatten.ts';
import { formatPath, type Value } from '../../domain/value.ts';
import { cannotRender, NO_KEYS } from './rendering.ts';

/** Dotted keys, ASCII only, so that readers of Latin-1 (Java before 9) and of UTF-8 agree. */
export function renderProperties(value: ReadonlyMap<string, Value>): string {
  const lines = flatten(value, 'json').map(({ path, value: leaf }) => {
    const text = leafText(leaf);
    if (text.includes('\0')) throw cannotRender(path, 'a .properties file cannot hold NUL; choose another format');
    return `${escapeKey(formatPath(path), true)} =${text && ' '}${escapeValue(text, true)}\n`;
  });
  return lines.toSorted().join('') || NO_KEYS;
}
