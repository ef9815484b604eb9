import type { DestinationFields, Place, Sink, SinkContext } from '../sink.ts';
import { applyPlan } from './apply-plan.ts';
import type { CasStore } from './cas-store.ts';
import type { CasCodec } from './codec.ts';
import { readPlace } from './read-place.ts';
import type { Site } from './site.ts';
import { undoWrite } from './undo-write.ts';

/**
 * A sink over a system of compare-and-set. A write is one transaction where the system has one that takes it, else claim → undo record → puts →
 * deletes → commit, each step conditional on what was read, so that it can be gone on with, taken over and undone from wherever it ended.
 */
export function createCasSink<Fields extends DestinationFields>(store: CasStore, codec: CasCodec<Fields>): Sink {
  const siteOf = (place: Place, { signal }: SinkContext): Site => {
    const { kind, item, own } = codec;
    return { store, place, layout: codec.layout(place as Place<Fields>), kind, item, own, signal };
  };
  return {
    read: async (place, context) => readPlace(siteOf(place, context), context.keys),
    apply: async (place, plan, context) => applyPlan(siteOf(place, context), plan),
    restore: async (place, generation, context) => undoWrite(siteOf(place, context), generation),
    close: () => store.close(),
  };
}
