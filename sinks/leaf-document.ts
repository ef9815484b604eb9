import { envName } from '../clients/formats/env-name.ts';
import { parseDocument } from '../clients/formats/parse-document.ts';
import { renderDocument, type RenderFormat } from '../clients/formats/render-document.ts';
import type { Format } from '../domain/bundle.ts';
import { flatten, leafText, unflatten } from '../domain/flatten.ts';
import type { DesiredEntry, RenderedEntry } from '../domain/plan.ts';
import { formatProblem, InvalidInput } from '../domain/problem.ts';
import { formatPath, isMap, toJson, valueOf, type Path } from '../domain/value.ts';
import { SinkError } from './errors.ts';

/** How a format reads an entry back. */
interface Traits {
  readonly parser: Format;
  /** Whether it tells `5` from `"5"`. */
  readonly typed: boolean;
  readonly keyOf: (path: Path) => string;
  readonly contentType: string;
}

const TEXT = 'text/plain; charset=utf-8';
const TRAITS: Readonly<Record<RenderFormat, Traits>> = {
  env: { parser: 'dotenv', typed: false, keyOf: envName, contentType: TEXT },
  json: { parser: 'json', typed: true, keyOf: formatPath, contentType: 'application/json' },
  yaml: { parser: 'yaml', typed: true, keyOf: formatPath, contentType: 'application/yaml' },
  toml: { parser: 'toml', typed: true, keyOf: formatPath, contentType: 'application/toml' },
  ini: { parser: 'ini', typed: false, keyOf: formatPath, contentType: TEXT },
  properties: { parser: 'properties', typed: false, keyOf: formatPath, contentType: TEXT },
};

/** For sinks that write a place as one document of leaves: a file, an object, a key. */
export function contentTypeOf(format: RenderFormat): string {
  return TRAITS[format].contentType;
}

/** The entry as the document will give it back. Throws SinkError `unsupported` for what the format cannot hold. */
export function renderLeaf(entry: DesiredEntry, format: RenderFormat): RenderedEntry {
  try {
    renderDocument(unflatten([entry]), format);
    return { ...entry, key: TRAITS[format].keyOf(entry.path), text: textOf(entry, format) };
  } catch (error) {
    throw refused('unsupported', error, formatPath(entry.path));
  }
}

/** The whole document; `kept` are leaves of the live one that stay. Throws SinkError. */
export function writeDocument(entries: readonly DesiredEntry[], kept: readonly RenderedEntry[], format: RenderFormat): Buffer {
  const renamed = kept.find(({ path, key }) => TRAITS[format].keyOf(path) !== key);
  if (renamed) throw new SinkError('unsupported', `the key ${renamed.key} is to stay, and the format would write it under another name; rename or remove it`);
  try {
    return Buffer.from(renderDocument(unflatten([...entries, ...kept]), format));
  } catch (error) {
    throw refused('rejected', error);
  }
}

/** The leaves by sink key, or why it is no document of the format. */
export type DocumentContent = { readonly leaves: ReadonlyMap<string, RenderedEntry> } | { readonly corrupt: string };

/** `name` is what a problem calls the document. */
export function readDocument(bytes: Uint8Array, name: string, format: RenderFormat, maxBytes: number): DocumentContent {
  const { parser, keyOf } = TRAITS[format];
  try {
    const value = valueOf(parseDocument(bytes, name, { format: parser, maxBytes }));
    if (!isMap(value)) return { corrupt: `is not a map in ${format}` };
    // The names of an env document are what they are, also where varTrack would have chosen another spelling.
    const nameOf = format === 'env' ? formatPath : keyOf;
    const leaves = flatten(value, 'json').map((leaf): RenderedEntry => ({ ...leaf, key: nameOf(leaf.path), text: textOf(leaf, format) }));
    return { leaves: new Map(leaves.map((leaf) => [leaf.key, leaf])) };
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return { corrupt: `cannot be read as ${format} (${error.problems[0] ? formatProblem(error.problems[0]) : 'for an unknown reason'})` };
  }
}

/** What is wrong with the new document as a whole, or null; `noun` is what the kind calls it. For `limitProblem`. */
export function documentProblem(entries: readonly RenderedEntry[], noun: string, format: RenderFormat, maxBytes: number): string | null {
  try {
    const bytes = writeDocument(entries, [], format);
    if (bytes.length > maxBytes) return `the ${noun} would have ${bytes.length} bytes, above the limit of ${maxBytes}`;
    const back = readDocument(bytes, `the new ${noun}`, format, maxBytes);
    return 'corrupt' in back ? `the new ${noun} could not be read back: it ${back.corrupt}` : null;
  } catch (error) {
    if (error instanceof SinkError) return error.message;
    throw error;
  }
}

function textOf({ value }: DesiredEntry, format: RenderFormat): string {
  return TRAITS[format].typed ? toJson(value, 'sorted') : leafText(value);
}

function refused(reason: 'unsupported' | 'rejected', error: unknown, key?: string): unknown {
  if (!(error instanceof InvalidInput)) return error;
  return new SinkError(reason, error.problems.map(formatProblem).join('; '), key === undefined ? {} : { key });
}
