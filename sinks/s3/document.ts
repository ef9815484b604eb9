import { envName } from '../../clients/formats/env-name.ts';
import { parseDocument } from '../../clients/formats/parse-document.ts';
import { renderDocument } from '../../clients/formats/render-document.ts';
import type { Format } from '../../domain/bundle.ts';
import { flatten, leafText, unflatten } from '../../domain/flatten.ts';
import type { DesiredEntry, RenderedEntry } from '../../domain/plan.ts';
import { formatProblem, InvalidInput } from '../../domain/problem.ts';
import { formatPath, isMap, toJson, valueOf, type Path } from '../../domain/value.ts';
import { SinkError } from '../errors.ts';

export const objectFormats = ['json', 'yaml', 'env', 'properties', 'toml'] as const;
export type ObjectFormat = (typeof objectFormats)[number];

interface FormatTraits {
  readonly parser: Format;
  /** Whether it tells `5` from `"5"`. */
  readonly typed: boolean;
  readonly keyOf: (path: Path) => string;
  readonly contentType: string;
}

const TRAITS: Readonly<Record<ObjectFormat, FormatTraits>> = {
  json: { parser: 'json', typed: true, keyOf: formatPath, contentType: 'application/json' },
  yaml: { parser: 'yaml', typed: true, keyOf: formatPath, contentType: 'application/yaml' },
  env: { parser: 'dotenv', typed: false, keyOf: envName, contentType: 'text/plain; charset=utf-8' },
  properties: { parser: 'properties', typed: false, keyOf: formatPath, contentType: 'text/plain; charset=utf-8' },
  toml: { parser: 'toml', typed: true, keyOf: formatPath, contentType: 'application/toml' },
};

export const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;

export function contentTypeOf(format: ObjectFormat): string {
  return TRAITS[format].contentType;
}

/** The entry as the document will give it back. Throws SinkError `unsupported` for what the format cannot hold. */
export function renderLeaf(entry: DesiredEntry, format: ObjectFormat): RenderedEntry {
  const { keyOf } = TRAITS[format];
  try {
    renderDocument(unflatten([entry]), format);
    return { ...entry, key: keyOf(entry.path), text: textOf(entry, format) };
  } catch (error) {
    throw refused('unsupported', error, formatPath(entry.path));
  }
}

/** The whole document; `kept` are leaves of the live one that stay. */
export function writeDocument(entries: readonly DesiredEntry[], kept: readonly RenderedEntry[], format: ObjectFormat): Buffer {
  const renamed = kept.find(({ path, key }) => TRAITS[format].keyOf(path) !== key);
  if (renamed) throw new SinkError('unsupported', `the key ${renamed.key} is to stay, and the format would write it under another name; rename or remove it`);
  try {
    return Buffer.from(renderDocument(unflatten([...entries, ...kept]), format));
  } catch (error) {
    throw refused('rejected', error);
  }
}

/** The leaves of a document by sink key, or why it is none. */
export function readDocument(bytes: Uint8Array, format: ObjectFormat): { readonly leaves: ReadonlyMap<string, RenderedEntry> } | { readonly corrupt: string } {
  const { parser, keyOf } = TRAITS[format];
  try {
    const value = valueOf(parseDocument(bytes, 'object', { format: parser, maxBytes: MAX_DOCUMENT_BYTES }));
    // The names of an env document are what they are, also where varTrack would have chosen another spelling.
    const nameOf = format === 'env' ? formatPath : keyOf;
    const leaves = isMap(value) ? flatten(value, 'json') : [];
    return { leaves: new Map(leaves.map((leaf) => [nameOf(leaf.path), { ...leaf, key: nameOf(leaf.path), text: textOf(leaf, format) }])) };
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return { corrupt: `cannot be read as ${format} (${error.problems[0] ? formatProblem(error.problems[0]) : 'for an unknown reason'})` };
  }
}

function textOf({ value }: DesiredEntry, format: ObjectFormat): string {
  return TRAITS[format].typed ? toJson(value, 'sorted') : leafText(value);
}

function refused(reason: 'unsupported' | 'rejected', error: unknown, key?: string): unknown {
  if (!(error instanceof InvalidInput)) return error;
  return new SinkError(reason, error.problems.map(formatProblem).join('; '), key === undefined ? {} : { key });
}
