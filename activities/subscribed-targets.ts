import type { Capabilities, Place } from '../sinks/sink.ts';

/** A target whose sink may tell of changes. */
export interface SubscribedTarget {
  /** See `targetId`. */
  readonly id: string;
  readonly sink: string;
  readonly kind: string;
  readonly place: Place;
  readonly capabilities: Capabilities;
  readonly prune: boolean;
  readonly protect: readonly string[];
  readonly ignore: readonly string[];
}
