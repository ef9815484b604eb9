import type { SinkKind } from '../../../sinks/registry.ts';

/** A sink on its real server, and what a person with all rights sees and does there without varTrack. */
export interface OneSink {
  /** Also its name in the bundle. */
  readonly kind: SinkKind;
  /** Its options in the bundle, beside `kind`. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The destination's fields in the bundle, beside `sink`; the place has an `{env}`. */
  readonly destination: Readonly<Record<string, unknown>> & { readonly place: string };
  /** Environment variables that the credentials are read from. */
  readonly credentials: Readonly<Record<string, string>>;
  /** The values, without ledger and undo record; null where nothing is. */
  look(environment: string): Promise<unknown>;
  /** Everything that is there, ledger, undo record and versions too: another text after any write. */
  trace(environment: string): Promise<string>;
  /** What somebody does there by hand: gives keys of the top level other texts, makes them, or with null takes them away. Keys are named as in the files. */
  edit(environment: string, changes: Readonly<Record<string, string | null>>): Promise<void>;
  /** Removes the place by hand, as a whole. */
  clear(environment: string): Promise<void>;
  /** Removes the ledger by hand, and no value. */
  loseLedger(environment: string): Promise<void>;
  /** From here on the sink refuses to be written to and can be read, as one does that took a right away; where a place has rights of its own, that of the environment. */
  refuseWrites(environment: string): Promise<void>;
  allowWrites(environment: string): Promise<void>;
  stop(): Promise<void>;
}
