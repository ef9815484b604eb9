import { createHash } from 'node:crypto';
import type { Problem } from '../../domain/problem.ts';
import { toJson, valueOf, type Node, type Origin, type Path } from '../../domain/value.ts';
import type { CueRequest, CueSchema } from './cue.ts';
import type { EnginePosition, EngineRequest, EngineSources } from './engine-protocol.ts';
import { directoryOf, moduleRoot, schemaLimits } from './schema-files.ts';

/** Deeper documents cost the engine seconds; nobody writes them by hand. */
const maxDepth = 200;
const maxDocumentBytes = 8 * 1024 * 1024;
/** Stands for the strings that the schema must not see, so that the engine can neither use nor quote them. */
const placeholder = 'opaque';

export interface EncodedRequest {
  /** Digest of all that makes the schema. */
  readonly schemaId: string;
  /** The request as the engine reads it, with or without the schema's sources. */
  text(withSources: boolean): string;
}

/** Writes a request down for the engine, or says why it does not get that far. */
export function encodeRequest(request: CueRequest): EncodedRequest | { readonly refused: Problem } {
  const { schema, document, opaque = [], rule } = request;
  const refuse = (message: string, origin: Origin) => ({ refused: { message, origin, ...(rule !== undefined && { rule }) } });
  const file = schemaName(schema);
  if (schema.file !== undefined && !schema.files.has(schema.file)) return refuse('the schema file does not exist', { file, line: 1, column: 1 });
  const bytes = schema.files.values().reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (schema.files.size > schemaLimits.maxFiles || bytes > schemaLimits.maxBytes) {
    const limit = `at most ${schemaLimits.maxFiles} files and ${schemaLimits.maxBytes / 1024 / 1024} MiB are read`;
    return refuse(`the schema has ${schema.files.size} files of ${bytes} bytes, ${limit}`, { file, line: 1, column: 1 });
  }
  if (!isShallow(document, maxDepth)) return refuse(`is nested more than ${maxDepth} levels deep`, document.origin);
  const hidden: Path[] = [];
  const data = documentText(document, treeOf(opaque), [], hidden);
  if (Buffer.byteLength(data) > maxDocumentBytes)
    return refuse(`is larger than ${maxDocumentBytes / 1024 / 1024} MiB, the most that can be validated`, document.origin);

  const sources = JSON.stringify(sourcesOf(schema));
  const schemaId = createHash('sha256').update(sources).digest('base64');
  const head = JSON.stringify({ schema: schemaId, opaque: hidden, defaults: request.defaults ?? false } satisfies EngineRequest).slice(0, -1);
  return { schemaId, text: (withSources) => `${head}${withSources ? `,"sources":${sources}` : ''},"document":${data}}` };
}

/** The file (or directory) to name for what concerns the schema as a whole. */
export function schemaName(schema: CueSchema): string {
  return schema.file ?? schema.directory ?? '.';
}

/** Where in the repository a position of the engine is. The engine counts bytes, people count characters. */
export function schemaOrigin(schema: CueSchema, { file = '', line, col }: EnginePosition): Origin | undefined {
  const path = prefixOf(schema) + file;
  if (!schema.files.has(path)) return undefined;
  const before = Buffer.from(lineOf(schema, { file: path, line })).subarray(0, col - 1);
  return { file: path, line, column: before.toString().length + 1 };
}

/** Text of one line of a schema file. */
export function lineOf(schema: CueSchema, { file, line }: Pick<Origin, 'file' | 'line'>): string {
  return schema.files.get(file)?.split('\n', line)[line - 1] ?? '';
}

/** Below the module if there is one; outside of any, a package is what lies in one directory. */
function sourcesOf(schema: CueSchema): EngineSources {
  const prefix = prefixOf(schema);
  const inModule = schema.files.has(`${prefix}cue.mod/module.cue`);
  const below = [...schema.files].filter(([path]) => path.startsWith(prefix) && (inModule || directoryOf(path) === directoryOf(prefix)));
  return {
    files: Object.fromEntries(below.map(([path, text]): [string, string] => [path.slice(prefix.length), text]).toSorted(([a], [b]) => (a < b ? -1 : 1))),
    ...(schema.file !== undefined ? { file: schema.file.slice(prefix.length) } : { directory: (schema.directory ?? '').slice(prefix.length) || '.' }),
    ...(schema.definition !== undefined && { definition: schema.definition }),
  };
}

/** What the paths of the schema's files begin with in the repository and not in the engine: the module's directory, else the package's. */
function prefixOf(schema: CueSchema): string {
  const within = schema.file ?? (schema.directory && schema.directory !== '.' ? `${schema.directory}/.` : '.');
  const directory = moduleRoot(schema.files, within) ?? directoryOf(within);
  return directory === '' ? '' : `${directory}/`;
}

interface PathTree {
  here: boolean;
  readonly below: Map<string, PathTree>;
}

function treeOf(paths: readonly Path[]): PathTree | undefined {
  if (paths.length === 0) return undefined;
  const root: PathTree = { here: false, below: new Map() };
  for (const path of paths) {
    let at = root;
    for (const name of path) {
      const next = at.below.get(name) ?? { here: false, below: new Map() };
      at.below.set(name, next);
      at = next;
    }
    at.here = true;
  }
  return root;
}

/** JSON of the document with every string at or below an opaque path replaced; collects where those are. */
function documentText(node: Node, opaque: PathTree | undefined, path: Path, hidden: Path[]): string {
  if (!opaque) return toJson(valueOf(node));
  const child = (name: string): PathTree | undefined => (opaque.here ? opaque : opaque.below.get(name));
  switch (node.kind) {
    case 'scalar':
      if (!opaque.here || typeof node.value !== 'string') return toJson(node.value);
      hidden.push(path);
      return JSON.stringify(placeholder);
    case 'list':
      return `[${node.items.map((item, i) => documentText(item, child(String(i)), [...path, String(i)], hidden)).join(',')}]`;
    case 'map':
      return `{${[...node.entries].map(([name, value]) => `${JSON.stringify(name)}:${documentText(value, child(name), [...path, name], hidden)}`).join(',')}}`;
  }
}

function isShallow(node: Node, levels: number): boolean {
  if (node.kind === 'scalar') return true;
  if (levels === 0) return false;
  const children = node.kind === 'list' ? node.items : [...node.entries.values()];
  return children.every((child) => isShallow(child, levels - 1));
}
