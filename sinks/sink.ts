import type { ZodType } from 'zod';
import type { CredentialReference } from '../domain/bundle.ts';
import type { Fingerprint } from '../domain/ledger.ts';
import type { DesiredEntry, LiveState, Ownership, ReadBack, RenderedEntry, WritePlan } from '../domain/plan.ts';

/** A place of one sink, its template filled in: where a destination of a rule writes in one environment. */
export interface Place<Fields = unknown> {
  readonly name: string;
  readonly layout: string;
  /** What the kind's `destination` schema gave. */
  readonly fields: Fields;
}

export interface SinkContext {
  /** Aborted when the run is cancelled or out of time. Every call to the outside takes it. */
  readonly signal: AbortSignal;
  /** Sink keys of the desired state. `read` answers for these and for those the ledger owns; a place that is owned as a whole is read whole. */
  readonly keys: readonly string[];
  readonly fingerprint: Fingerprint;
}

/** What a write did. `generation` is the ledger's after it; `writes` counts values put or deleted, 0 for a no-op. */
export interface Receipt {
  readonly generation: number;
  readonly writes: number;
}

/** One open connection to a system. Safe for concurrent use by many places. Throws {@link SinkError} and nothing else. */
export interface Sink {
  /** Everything at the place that we own or would touch, with the ledger. An absent place is an empty state; any failure throws (I3). */
  read(place: Place, context: SinkContext): Promise<LiveState>;
  /**
   * Writes the plan if the place is still as `plan.base` saw it: values, `plan.ledger` and the undo record in one atomic step where the sink
   * has one, else intent → puts → deletes → commit, each conditional and resumable. Throws `conflict` if the place moved, having changed nothing.
   */
  apply(place: Place, plan: WritePlan, context: SinkContext): Promise<Receipt>;
  /**
   * Puts back exactly what the write of `generation` replaced: values, absence, and what else belongs to the place (mode, owner).
   * The ledger of before comes back with `generation + 1` (one without keys if there was none), so that a late writer still meets a conflict.
   * A no-op if `generation` was never applied or is already undone; throws `conflict` if something newer was written.
   */
  restore(place: Place, generation: number, context: SinkContext): Promise<Receipt>;
  /**
   * Calls back when a place may have changed, soon and perhaps once too often; absent where no sink of the kind can tell. Calls once for every place as
   * soon as the watch stands, since what changed before is not told. Resolves when the signal aborts. Throws SinkError when it can tell no longer:
   * `unsupported` where the system is not set up for it (the message says how to), `unavailable` where it was lost and may be begun again.
   */
  watch?(places: readonly Place[], onChange: (place: Place) => void, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** What a layout of a kind promises; shared code asks these, never the kind. */
export interface Capabilities {
  /** Whether what was written can be read back as text, only compared by fingerprint, or not at all. */
  readonly values: ReadBack;
  /** Whether the place is shared with keys of others, or owned as a whole. */
  readonly ownership: Ownership;
  /** What changes in one step: the place, or each key by itself. */
  readonly atomicity: 'place' | 'key';
}

/** Every kind's destination schema gives at least a layout. */
export interface DestinationFields {
  readonly layout: string;
}

/**
 * Reads a credential at the moment of use; one that costs a request may be remembered for a while, but not from before `notBefore` (of `Date.now`),
 * which is for those whose last one was refused. Throws an Error that names the reference, never the value; its `retryable` is false where only a person
 * can mend it (a variable that is not set, a path that Vault does not have or the policy does not allow).
 */
export type ResolveCredential = (reference: CredentialReference, options?: { readonly notBefore?: number }) => Promise<string>;

export interface SinkDefinition<Options = unknown, Fields extends DestinationFields = DestinationFields> {
  readonly kind: string;
  /** The layouts of the kind; the first is the default. */
  readonly layouts: Readonly<Record<string, Capabilities>>;
  /** Whether {@link Sink.watch} exists. */
  readonly notifies: boolean;
  /** Connection options in the bundle (without `kind`); unknown fields are refused. */
  readonly options: ZodType<Options>;
  /** A destination's fields in the bundle beside `sink` and `place`; unknown fields are refused. */
  readonly destination: ZodType<Fields>;
  /**
   * Names the system that the options connect to, without credentials and tuning: sinks with equal names write to one system, and two of their
   * destinations must not be one target (I11).
   */
  system(options: Options): string;
  /** What is wrong with a (filled-in) place name, or null; the options tell what the sink is connected to. */
  placeProblem(name: string, fields: Fields, options: Options): string | null;
  /**
   * Identity of the target inside the connected system: two destinations with equal identities in one sink would write the same thing.
   * Redis key prefixes, file paths after normalisation; mostly the place name itself.
   */
  identity(name: string, fields: Fields): string;
  /** Whether keys of the place may have any name that begins with its own, so that no other target may begin with it (I11). Without it, they do not. */
  reachesBelow?(fields: Fields): boolean;
  /**
   * The canonical form of an entry: what the sink will store is what it will read back. Throws SinkError `unsupported` or `too-large`
   * for a key or value that the system cannot take, naming the limit.
   */
  render(entry: DesiredEntry, fields: Fields): RenderedEntry;
  /** What is wrong with the desired state as a whole (total size, number of keys), or null. The message names the limit. */
  limitProblem(entries: readonly RenderedEntry[], fields: Fields): string | null;
  connect(options: Options, resolve: ResolveCredential): Promise<Sink>;
}

/** Gives the definition its parts' types, so that a driver file needs none of its own; the registry holds the erased form. */
export function defineSink<Options, Fields extends DestinationFields>(definition: SinkDefinition<Options, Fields>): SinkDefinition<Options, Fields> {
  return definition;
}
