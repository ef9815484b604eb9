import type { Format } from '../../domain/bundle.ts';
import type { MapNode, Node } from '../../domain/value.ts';
import { InvalidInput } from '../../domain/problem.ts';
import { checkLimits, MAX_BYTES } from './document-limits.ts';
import { parseDotenv } from './dotenv.ts';
import { formatOf } from './format-of.ts';
import { parseHcl } from './hcl.ts';
import { parseIni } from './ini.ts';
import { parseJson } from './json.ts';
import { parseProperties } from './properties.ts';
import { refusal, sourceText, type SourceText } from './source-text.ts';
import { parseToml } from './toml.ts';
import { parseXml } from './xml.ts';
import { parseYaml } from './yaml.ts';

export interface ParseOptions {
  /** Instead of what the name of the file says. */
  readonly format?: Format;
  readonly maxBytes?: number;
}

const PARSERS: Record<Format, (source: SourceText) => Node> = {
  yaml: parseYaml,
  json: parseJson,
  toml: parseToml,
  dotenv: parseDotenv,
  ini: parseIni,
  properties: parseProperties,
  hcl: parseHcl,
  xml: parseXml,
};

/**
 * Reads one file into the value model, each value with its line and column. Throws {@link InvalidInput} for all that is not a map in exactly one
 * reading: a key that is there twice, an empty file (that it was read whole is not known, I3), an unknown format.
 */
export function parseDocument(bytes: Uint8Array, file: string, options: ParseOptions = {}): MapNode {
  const start = { file, line: 1, column: 1 };
  const format = options.format ?? formatOf(file);
  if (!format) throw refusal(start, 'the name of the file does not tell its format; set format: in the entry of files');
  const maxBytes = options.maxBytes ?? MAX_BYTES;
  if (bytes.length > maxBytes) throw refusal(start, `it has ${bytes.length} bytes, above the limit of ${maxBytes}`);

  const source = sourceText(file, decode(bytes, file));
  if (source.text.trim() === '')
    throw refusal(start, `the file is empty; if it is meant to have no keys, ${format === 'yaml' || format === 'json' ? 'write {}' : 'say so in a comment'}`);
  const root = parse(PARSERS[format], source);
  if (root.kind !== 'map') throw refusal(root.origin, `the document must be a map of keys, it is a ${root.kind === 'list' ? 'list' : 'single value'}`);
  checkLimits(root);
  return root;
}

function parse(parser: (source: SourceText) => Node, source: SourceText): Node {
  try {
    return parser(source);
  } catch (error) {
    if (error instanceof InvalidInput) throw error;
    // Text that outgrew the stack, mostly. A message that is not ours could quote the file.
    throw source.refuse(0, error instanceof RangeError ? 'it is nested too deeply' : 'its parser failed on it');
  }
}

function decode(bytes: Uint8Array, file: string): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const lossy = sourceText(file, new TextDecoder('utf-8').decode(bytes));
    throw lossy.refuse(Math.max(lossy.text.indexOf('\uFFFD'), 0), 'it is not UTF-8 text');
  }
  const nul = text.indexOf('\0');
  if (nul !== -1) throw sourceText(file, text).refuse(nul, 'it holds a NUL character, so it is not text');
  return text;
}
