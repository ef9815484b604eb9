import type { DesiredEntry } from '../../domain/plan.ts';
import { isMap, type Value } from '../../domain/value.ts';
import type { MongodbFields } from '../mongodb.ts';
import { OWN_FIELD } from './place-names.ts';

/** What is wrong with the names of fields that an entry makes, or null. In layout `keys` the key itself is none. */
export function nameProblem({ path, value }: DesiredEntry, { layout, names }: MongodbFields): string | null {
  const [top = ''] = path;
  if (layout === 'document') {
    if (top === '_id' || top === OWN_FIELD) return `${top} for a field, which is not free in a document`;
    if (top.startsWith('$')) return 'a name that begins with $ at the top of the document, which the server reads as an operator';
  }
  const made = [...(layout === 'document' ? path : []), ...namesIn(value)];
  if (made.some((name) => !name.isWellFormed())) return 'one half of a surrogate pair in a name';
  if (made.some((name) => name.includes('\u0000'))) return 'a NUL character in a name, which BSON cannot hold';
  if (names === 'plain' && made.some((name) => /^\$|[."\\]/.test(name)))
    return 'a name with a dot, a double quote, a backslash or $ in front, which names: plain excludes';
  return null;
}

function namesIn(value: Value): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  if (!isMap(value)) return value.flatMap(namesIn);
  return [...value].flatMap(([name, child]) => [name, ...namesIn(child)]);
}
