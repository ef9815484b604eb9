import { isMap, type Value } from './value.ts';

/** Fills what `data` lacks from `defaults`, at any depth of maps; data wins, also with null or an empty list. */
export function underlay(defaults: Value, data: Value): Value {
  if (!isMap(defaults) || !isMap(data)) return data;
  const filled = new Map<string, Value>();
  for (const [key, value] of data) {
    const fallback = defaults.get(key);
    filled.set(key, fallback === undefined ? value : underlay(fallback, value));
  }
  for (const [key, value] of defaults) if (!filled.has(key)) filled.set(key, value);
  return filled;
}
