import type { Format } from '../../domain/bundle.ts';
import { flatten, leafText, unflatten } from '../../domain/flatten.ts';
import type { DesiredEntry, RenderedEntry } from '../../domain/plan.ts';
import { formatProblem, InvalidInput } from '../../domain/problem.ts';
import { formatPath, isMap, toJson, valueOf } from '../../domain/value.ts';
import { envName } from '../../clients/formats/env-name.ts';
import { parseDocument } from '../../clients/formats/parse-document.ts';
import { renderDocument, type RenderFormat } from '../../clients/formats/render-document.ts';
import { SinkError } from '../errors.ts';
import { MAX_FILE_BYTES } from './shell.ts';

export type FileLayout = RenderFormat;

/** How a format of files reads an entry back: its key, and whether it tells `5` from `"5"`. */
interface Reading {
  readonly format: Format;
  readonly typed: boolean;
  readonly keyOf: (path: readonly string[]) => string;
}

const READINGS = {
  env: { format: 'dotenv', typed: false, keyOf: envName },
  json: { format: 'json', typed: true, keyOf: formatPath },
  yaml: { format: 'yaml', typed: true, keyOf: formatPath },
  toml: { format: 'toml', typed: true, keyOf: formatPath },
  ini: { format: 'ini', typed: false, keyOf: formatPath },
  properties: { format: 'properties', typed: false, keyOf: formatPath },
} satisfies Record<FileLayout, Reading>;

/** The entry as the file will give it back. Throws SinkError `unsupported` for what the format cannot hold. */
export function renderEntry(entry: DesiredEntry, layout: FileLayout): RenderedEntry {
  const { typed, keyOf } = READINGS[layout];
  try {
    renderDocument(unflatten([entry]), layout);
    return { ...entry, key: keyOf(entry.path), text: typed ? toJson(entry.value, 'sorted') : leafText(entry.value) };
  } catch (error) {
    throw refused('unsupported', error, formatPath(entry.path));
  }
}

/** The whole file. `kept` are entries of the file as it is that have to stay. */
export function renderFile(entries: readonly DesiredEntry[], kept: readonly RenderedEntry[], layout: FileLayout): Buffer {
  const renamed = kept.find(({ path, key }) => READINGS[layout].keyOf(path) !== key);
  if (renamed) throw new SinkError('unsupported', `the key ${renamed.key} is to stay, and the format would write it under another name; rename or remove it`);
  try {
    return Buffer.from(renderDocument(unflatten([...entries, ...kept]), layout));
  } catch (error) {
    throw refused('rejected', error);
  }
}

export type FileContent = { readonly entries: ReadonlyMap<string, RenderedEntry> } | { readonly corrupt: string };

/** The entries of a file by sink key, or why it is not one of its format. */
export function parseFile(bytes: Uint8Array, file: string, layout: FileLayout): FileContent {
  const { format, typed, keyOf } = READINGS[layout];
  try {
    const value = valueOf(parseDocument(bytes, file, { format, maxBytes: MAX_FILE_BYTES }));
    if (!isMap(value)) return { corrupt: `is not a map in ${format}` };
    // The names of an env file are what they are, also where varTrack would have chosen another spelling.
    const nameOf = layout === 'env' ? formatPath : keyOf;
    const leaves = flatten(value, 'json').map((entry): RenderedEntry => {
      return { ...entry, key: nameOf(entry.path), text: typed ? toJson(entry.value, 'sorted') : leafText(entry.value) };
    });
    return { entries: new Map(leaves.map((entry) => [entry.key, entry])) };
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return { corrupt: `cannot be read as ${format} (${error.problems[0] ? formatProblem(error.problems[0]) : 'for an unknown reason'})` };
  }
}

function refused(reason: 'unsupported' | 'rejected', error: unknown, key?: string): unknown {
  if (!(error instanceof InvalidInput)) return error;
  const said = error.problems.map(formatProblem).join('; ');
  return new SinkError(reason, said, key === undefined ? {} : { key });
}
