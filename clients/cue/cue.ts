import type { Problem } from '../../domain/problem.ts';
import type { Node, Origin, Path, Value } from '../../domain/value.ts';

export { schemaFiles, schemaLimits } from './schema-files.ts';

/** The CUE engine: one document against one schema at a time, nothing read but what the request holds. */
export interface Cue {
  /**
   * Finds all that is wrong with `document`. What the input is to blame for comes back as problems, also a schema that does not compile
   * or takes too long; rejects with the reason of `signal`, or with {@link CueUnavailable} when the engine itself cannot answer (try again).
   */
  validate(request: CueRequest, signal: AbortSignal): Promise<CueResult>;
  /** Starts an engine (about half a second, once) so that the first request does not wait for it. */
  warm(): Promise<void>;
  /** Stops every engine; requests under way and later ones reject with {@link CueUnavailable}. */
  close(): Promise<void>;
}

export interface CueOptions {
  /** Limit of one validation, from its start in the engine. */
  readonly timeoutMs?: number;
  /** Requests that may wait; one more rejects with {@link CueUnavailable}. */
  readonly maxQueue?: number;
  /** Engines kept ready to take over from one that had to be stopped. */
  readonly spare?: number;
}

export interface CueRequest {
  readonly schema: CueSchema;
  readonly document: Node;
  /** Name of the rule, for the problems. */
  readonly rule?: string;
  /** Strings whose value the schema must not see and no message may quote (secret references): only their type is checked. */
  readonly opaque?: readonly Path[];
  /** Return the document completed with the schema's defaults. */
  readonly defaults?: boolean;
}

export interface CueSchema {
  /** Path in the repository → source, see {@link schemaFiles}. */
  readonly files: ReadonlyMap<string, string>;
  /** The schema file that the rule names: the package is that file's, in its directory (and those above it in the module). */
  readonly file?: string;
  /** Instead of `file`: a directory with one package. */
  readonly directory?: string;
  /** Path inside the package, e.g. `#Settings`; without it the whole package is the schema. */
  readonly definition?: string;
}

export type CueResult =
  | {
      readonly ok: true;
      /** With `defaults`: the document and the schema's values, to be merged under the document. What is not concrete is left out. */
      readonly value?: Value;
      /** Fields of the schema with a `@secret(…)` attribute; a value for them is not required of the document. */
      readonly secrets: readonly SecretAttribute[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface SecretAttribute {
  readonly path: Path;
  /** What stands between the parentheses: `app/db#password`. */
  readonly reference: string;
  readonly origin: Origin;
}

/** The engine could not answer, through no fault of the input: stopped, overloaded, failed to start. */
export class CueUnavailable extends Error {
  override readonly name = 'CueUnavailable';
}

export function createCue(_options: CueOptions = {}): Cue {
  throw new CueUnavailable('not built yet');
}
