import { parseDocument } from '../../clients/formats/parse-document.ts';
import { flatten, unflatten } from '../../domain/flatten.ts';
import type { DesiredEntry } from '../../domain/plan.ts';
import { InvalidInput } from '../../domain/problem.ts';
import { formatPath, isMap, toJson, valueOf, type Value } from '../../domain/value.ts';

/** The leaves of a document by sink key, or why it is none. */
export function readJsonDocument(bytes: Uint8Array): { readonly leaves: ReadonlyMap<string, DesiredEntry> } | { readonly corrupt: string } {
  try {
    const value = valueOf(parseDocument(bytes, 'document', { format: 'json', maxBytes: MAX_DOCUMENT_BYTES }));
    const leaves = isMap(value) ? flatten(value, 'json') : [];
    return { leaves: new Map(leaves.map((leaf) => [formatPath(leaf.path), leaf])) };
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    const [problem] = error.problems;
    const at = problem?.origin ? ` (line ${problem.origin.line}, column ${problem.origin.column})` : '';
    return { corrupt: `is not a JSON object${at}` };
  }
}

/** The canonical text of a leaf: equal values of two writers are equal texts, whatever order they keep their maps in. */
export function jsonText(value: Value): string {
  return toJson(value, 'sorted');
}

/** Throws InvalidInput where a kept leaf stands where another needs a map. */
export function writeJsonDocument(leaves: readonly DesiredEntry[]): string {
  return toJson(unflatten(leaves));
}

/** A document is one value of Redis; the limit is that of every value here. */
export const MAX_DOCUMENT_BYTES = 64 * 1024 * 1024;
