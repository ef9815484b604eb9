import type { Value } from '../../domain/value.ts';
import { renderEnv } from './render-env.ts';
import { renderIni } from './render-ini.ts';
import { renderJson } from './render-json.ts';
import { renderProperties } from './render-properties.ts';
import { renderToml } from './render-toml.ts';
import { renderYaml } from './render-yaml.ts';

export type RenderFormat = 'env' | 'json' | 'yaml' | 'toml' | 'ini' | 'properties';

const RENDERERS: Record<RenderFormat, (value: ReadonlyMap<string, Value>) => string> = {
  env: renderEnv,
  json: renderJson,
  yaml: renderYaml,
  toml: renderToml,
  ini: renderIni,
  properties: renderProperties,
};

/**
 * The one text of a document in a format: keys sorted, so that equal documents are equal texts, and `parseDocument` gives the document back.
 * In env, ini and properties a leaf is its text (`leafText`); in env the path is one name (`envName`). Throws InvalidInput, naming the key and
 * never the value, for what the format or its usual readers cannot take.
 */
export function renderDocument(value: ReadonlyMap<string, Value>, format: RenderFormat): string {
  return RENDERERS[format](value);
}
