import { isMap, type Path, type Value } from '../../domain/value.ts';
import { cannotRender, NO_KEYS, numberText, quoted, sortedEntries } from './rendering.ts';

const BARE_KEY = /^[\w-]+$/;
const MAX_INTEGER = 2n ** 63n;

/** TOML 1.0. `null` in a map is an absent key; in a list it cannot be said. Maps are tables, maps inside lists are inline. */
export function renderToml(value: ReadonlyMap<string, Value>): string {
  return table(value, []) || NO_KEYS;
}

function table(map: ReadonlyMap<string, Value>, path: Path): string {
  const entries = sortedEntries(map).filter(([, child]) => child !== null);
  const lines: string[] = [];
  const tables: string[] = [];
  for (const [name, child] of entries) {
    const at = [...path, name];
    if (isMap(child)) tables.push(table(child, at));
    else lines.push(`${keyText(name)} = ${inline(child, at)}\n`);
  }
  // The header of a table that only holds tables is implied by theirs.
  const header = path.length > 0 && (lines.length > 0 || tables.length === 0) ? `[${path.map(keyText).join('.')}]\n` : '';
  return [header + lines.join(''), ...tables].filter(Boolean).join('\n');
}

function inline(value: Value, path: Path): string {
  if (value === null) throw cannotRender(path, 'TOML has no null; remove it from the list or choose another format');
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'number') return numberText(value);
  if (typeof value === 'bigint') {
    if (value >= MAX_INTEGER || value < -MAX_INTEGER)
      throw cannotRender(path, 'the integer has more than the 64 bits that TOML allows; quote it or choose another format');
    return value.toString();
  }
  if (isMap(value)) {
    const present = sortedEntries(value).filter(([, child]) => child !== null);
    return present.length === 0 ? '{}' : `{ ${present.map(([name, child]) => `${keyText(name)} = ${inline(child, [...path, name])}`).join(', ')} }`;
  }
  return `[${value.map((item, index) => inline(item, [...path, String(index)])).join(', ')}]`;
}

function keyText(name: string): string {
  return BARE_KEY.test(name) ? name : quoted(name);
}
