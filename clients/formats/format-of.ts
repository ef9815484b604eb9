import type { Format } from '../../domain/bundle.ts';

const EXTENSIONS: ReadonlyMap<string, Format> = new Map([
  ['yaml', 'yaml'],
  ['yml', 'yaml'],
  ['json', 'json'],
  ['toml', 'toml'],
  ['env', 'dotenv'],
  ['ini', 'ini'],
  ['cfg', 'ini'],
  ['properties', 'properties'],
  ['hcl', 'hcl'],
  ['tfvars', 'hcl'],
  ['xml', 'xml'],
]);

/** The format that the name of a file tells: by extension, and `.env.production` for dotenv. Undefined if it tells none; the content is never asked. */
export function formatOf(file: string): Format | undefined {
  const name = file.slice(file.lastIndexOf('/') + 1).toLowerCase();
  const known = name.includes('.') ? EXTENSIONS.get(name.slice(name.lastIndexOf('.') + 1)) : undefined;
  return known ?? (name.startsWith('.env.') ? 'dotenv' : undefined);
}
