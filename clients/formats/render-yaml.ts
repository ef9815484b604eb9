import { isMap, type Value } from '../../domain/value.ts';
import { numberText, quoted, sortedEntries } from './rendering.ts';

/** Names that no YAML reader, 1.1 or 1.2, takes for anything but text. */
const PLAIN_KEY = /^(?!(?:y|n|yes|no|on|off|true|false|null|_*e\d+)$)[a-z_][\w-]*$/i;
/** A reader may refuse a longer key unless it is written with `?`. */
const MAX_IMPLICIT_KEY = 1000;

/** Block style, all strings in double quotes: what is bare text in YAML 1.2 may be a boolean, a date or a number in 1.1. */
export function renderYaml(value: ReadonlyMap<string, Value>): string {
  return value.size === 0 ? '{}\n' : `${block(value, '')}\n`;
}

function block(value: Value, indent: string): string {
  const lines = isMap(value)
    ? sortedEntries(value).map(([key, child]) => {
        const name = PLAIN_KEY.test(key) ? key : quoted(key);
        return name.length > MAX_IMPLICIT_KEY ? `? ${name}\n${indent}:${after(child, indent)}` : `${name}:${after(child, indent)}`;
      })
    : (value as readonly Value[]).map((item) => `-${after(item, indent)}`);
  return lines.map((line) => indent + line).join('\n');
}

function after(value: Value, indent: string): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'bigint') return ` ${String(value)}`;
  if (typeof value === 'number') return ` ${numberText(value)}`;
  if (typeof value === 'string') return ` ${quoted(value)}`;
  if (isMap(value) ? value.size === 0 : value.length === 0) return isMap(value) ? ' {}' : ' []';
  return `\n${block(value, `${indent}  `)}`;
}
