// What travels between the process and the Go program of engine/; its structs carry the same names.

export interface EngineRequest {
  /** Digest of `sources`. */
  readonly schema: string;
  /** Sent when the engine does not hold the schema. */
  readonly sources?: EngineSources;
  readonly opaque: readonly (readonly string[])[];
  readonly defaults: boolean;
}

export interface EngineSources {
  /** Path below the module root → source. */
  readonly files: Readonly<Record<string, string>>;
  readonly file?: string;
  readonly directory?: string;
  readonly definition?: string;
}

export interface EngineResponse {
  readonly ok: boolean;
  readonly unknown?: boolean;
  readonly issues?: readonly EngineIssue[];
  readonly more?: number;
  readonly value?: EngineValue;
  readonly secrets?: readonly EngineSecret[];
}

export interface EngineIssue {
  readonly stage: 'schema' | 'document' | 'validate' | 'internal';
  readonly path: readonly string[] | null;
  readonly message: string;
  /** The engine's message with its verbs: a stable code for the kind of error. */
  readonly format: string;
  readonly args: readonly string[] | null;
  readonly incomplete?: boolean;
  readonly expected?: string;
  readonly known?: readonly string[];
  readonly positions: readonly EnginePosition[] | null;
}

export interface EnginePosition {
  readonly in: 'schema' | 'document' | 'engine';
  readonly file?: string;
  readonly line: number;
  /** In bytes, from 1. */
  readonly col: number;
}

export interface EngineSecret {
  readonly path: readonly string[] | null;
  readonly reference: string;
  readonly position: EnginePosition;
}

/** A map is `[1, name, value, …]`, a list `[0, value, …]`, an integer beyond 2^53 `{int: digits}`: keeps order and exactness through JSON. */
export type EngineValue = null | boolean | number | string | { readonly int: string } | readonly EngineValue[];
