import { findCollisions, flatten, leafText } from '../../domain/flatten.ts';
import { InvalidInput } from '../../domain/problem.ts';
import type { Path, Value } from '../../domain/value.ts';
import { envName } from './env-name.ts';
import { cannotRender, NO_KEYS } from './rendering.ts';

/** One `NAME=value` a leaf, such that `sh` and dotenv readers agree on every value; docker, which knows no quotes, agrees where none are needed. */
export function renderEnv(value: ReadonlyMap<string, Value>): string {
  const entries = flatten(value, 'json').map((entry) => ({ ...entry, key: envName(entry.path), text: leafText(entry.value) }));
  const collisions = findCollisions(entries);
  if (collisions.length > 0) throw new InvalidInput(collisions);
  const lines = entries.toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(({ key, text, path }) => `${key}=${envValue(text, path)}\n`);
  return lines.join('') || NO_KEYS;
}

function envValue(text: string, path: Path): string {
  if (/^[\w./:@%+,=-]*$/.test(text)) return text;
  if (text.includes('\r') || text.includes('\0')) throw cannotRender(path, 'an env file cannot hold a carriage return or NUL; choose another format');
  // dotenv readers take \' for a quote that does not close, sh takes it for one that does.
  if (text.endsWith('\\'))
    throw cannotRender(path, 'an env file that sh and dotenv readers take alike cannot hold a value that ends in a backslash; choose another format');
  if (!text.includes("'")) return `'${text}'`;
  if (!/[$`"\\]/.test(text)) return `"${text}"`;
  throw cannotRender(path, 'an env file that sh and dotenv readers take alike cannot hold both \' and one of $ ` " \\ in a value; choose another format');
}
