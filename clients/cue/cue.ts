import type { Problem } from '../../domain/problem.ts';
import type { Node, Origin, Path, Value } from '../../domain/value.ts';
import { decodeValue } from './decode-value.ts';
import { createEnginePool, type PooledEngine } from './engine-pool.ts';
import type { EngineResponse } from './engine-protocol.ts';
import { encodeRequest, lineOf, schemaName, schemaOrigin, type EncodedRequest } from './engine-request.ts';
import type { EngineOutcome } from './engine.ts';
import { CueUnavailable } from './errors.ts';
import { explain } from './explain.ts';

export { CueUnavailable } from './errors.ts';
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
  /** Limit of one validation in processor time; on the clock it may take several times as long when the machine is busy. */
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
  /** Tenants take turns, so that one with many slow schemas waits for itself; without it schemas do. */
  readonly tenant?: string;
  /** Strings whose value the schema must not see and no message may quote (secret references): only their type is checked. */
  readonly opaque?: readonly Path[];
  /** Values that the schema sees and no message may quote (secrets themselves). */
  readonly hidden?: readonly Path[];
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

/** Ids of schemas to remember as sent; an engine keeps only a few itself, and asks again for others. */
const maxRemembered = 100;

export function createCue({ timeoutMs = 2_000, maxQueue = 1_000, spare = 1 }: CueOptions = {}): Cue {
  const pool = createEnginePool({ engines: 1 + spare, maxQueue, timeoutMs });
  return {
    async validate(request, signal) {
      const encoded = encodeRequest(request);
      if ('refused' in encoded) return { ok: false, problems: [encoded.refused] };
      // An engine that has served others may die of what they left in its memory: only a fresh one proves that this request is to blame.
      for (;;) {
        const { outcome, served } = await pool.use({ group: request.tenant ?? encoded.schemaId, schema: encoded.schemaId }, signal, (engine) =>
          ask(engine, encoded),
        );
        if (outcome.kind === 'response') return resultOf(request, JSON.parse(outcome.text) as EngineResponse);
        if (outcome.kind === 'timeout') {
          return refusal(
            request,
            `validation was stopped after ${timeoutMs / 1_000} s of processor time: simplify the schema (disjunctions and comprehensions multiply)`,
          );
        }
        if (outcome.kind === 'unanswered') throw new CueUnavailable(outcome.reason);
        if (served === 0) return refusal(request, `the schema cannot be evaluated, it needs too much memory or nests too deeply (${outcome.reason})`);
      }
    },
    warm: () => pool.warm(),
    close: () => pool.close(),
  };
}

/** Sends the sources of the schema only to an engine that does not have them (any more). */
async function ask(engine: PooledEngine, request: EncodedRequest): Promise<{ readonly outcome: EngineOutcome; readonly served: number }> {
  let outcome = await engine.run(request.text(!engine.schemas.has(request.schemaId)));
  if (outcome.kind === 'response' && outcome.text.startsWith('{"ok":false,"unknown":true')) outcome = await engine.run(request.text(true));
  if (engine.schemas.size > maxRemembered) engine.schemas.clear();
  engine.schemas.add(request.schemaId);
  return { outcome, served: engine.served };
}

function resultOf(request: CueRequest, response: EngineResponse): CueResult {
  const { schema, document, rule, opaque = [], hidden = [] } = request;
  const secrets = response.secrets ?? [];
  if (response.ok) {
    let value: Value | undefined;
    try {
      if (request.defaults && response.value !== undefined) value = decodeValue(response.value);
    } catch (error) {
      if (error instanceof RangeError) return refusal(request, 'a value of the schema is out of range: numbers reach ±1.8e308');
      throw error;
    }
    return {
      ok: true,
      ...(value !== undefined && { value }),
      secrets: secrets.map(({ path, reference, position }) => ({
        path: path ?? [],
        reference,
        origin: schemaOrigin(schema, position) ?? { file: schemaName(schema), line: 1, column: 1 },
      })),
    };
  }
  const problems = explain(response.issues ?? [], response.more ?? 0, {
    document,
    schemaFile: schemaName(schema),
    originOf: (position) => schemaOrigin(schema, position),
    lineOf: (at) => lineOf(schema, at),
    secrets: [...opaque, ...hidden, ...secrets.map(({ path }) => path ?? [])],
    ...(rule !== undefined && { rule }),
  });
  return problems.length > 0 ? { ok: false, problems } : refusal(request, 'the CUE engine refused the document without saying why');
}

function refusal({ schema, rule }: CueRequest, message: string): CueResult {
  return { ok: false, problems: [{ message, origin: { file: schemaName(schema), line: 1, column: 1 }, ...(rule !== undefined && { rule }) }] };
}
