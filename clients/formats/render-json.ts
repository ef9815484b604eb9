import { isMap, toJson, type Value } from '../../domain/value.ts';
import { quoted, sortedEntries } from './rendering.ts';

export function renderJson(value: ReadonlyMap<string, Value>): string {
  return `${write(value, '')}\n`;
}

function write(value: Value, indent: string): string {
  const inner = `${indent}  `;
  if (isMap(value)) {
    if (value.size === 0) return '{}';
    return `{\n${sortedEntries(value)
      .map(([key, child]) => `${inner}${quoted(key)}: ${write(child, inner)}`)
      .join(',\n')}\n${indent}}`;
  }
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return `[\n${value.map((item: Value) => inner + write(item, inner)).join(',\n')}\n${indent}]`;
  }
  return typeof value === 'string' ? quoted(value) : toJson(value);
}
