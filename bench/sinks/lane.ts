import type { RenderedEntry } from '../../domain/plan.ts';
import type { Place, Sink, SinkDefinition } from '../../sinks/sink.ts';
import type { Address } from '../../test/faults/tcp-proxy.ts';

/** The driver of a system without varTrack: it writes the keys of a place in the way that is best there, asks for no condition, and reads them back. */
export interface Bare {
  write(place: Place, entries: readonly RenderedEntry[]): Promise<void>;
  /** The texts, in the order of the entries. */
  read(place: Place, entries: readonly RenderedEntry[]): Promise<readonly (string | undefined)[]>;
  close(): Promise<void>;
}

/** A running server. */
export interface Stage {
  /** Null where there is none, such as for files of this machine. */
  readonly address: Address | null;
  sink(at: Address): Promise<Sink>;
  bare(at: Address): Promise<Bare>;
  placeName(layout: string): string;
  stop(): Promise<void>;
}

/** One layout of one kind. */
export interface Lane {
  readonly destination: Readonly<Record<string, unknown>>;
  /** Numbers of keys. */
  readonly sizes: readonly number[];
}

export interface Kind {
  readonly definition: SinkDefinition;
  readonly lanes: readonly Lane[];
  start(): Promise<Stage>;
}

export const SIZES = [10, 100, 1_000] as const;
