import { createCasSink } from '../cas/cas-sink.ts';
import type { CasStore } from '../cas/cas-store.ts';
import type { Place, Sink } from '../sink.ts';
import type { Bson } from './bson-tree.ts';
import { createCodec } from './codec.ts';
import { createDocumentStore } from './document-store.ts';
import type { Documents } from './documents.ts';
import { createKeysStore } from './keys-store.ts';

/** Places of both layouts through one connection: a document changes in one step, the documents of a collection do not. `wrap` is for tests. */
export function createMongodbSink(documents: Documents, bson: Bson, wrap: (store: CasStore) => CasStore = (store) => store): Sink {
  const codec = createCodec(bson);
  const [document, keys] = [createDocumentStore(documents, bson), createKeysStore(documents, bson, documents.batch)].map((store) =>
    createCasSink(wrap(store), codec),
  );
  const sinkOf = ({ layout }: Place): Sink => {
    const sink = layout === 'keys' ? keys : document;
    if (!sink) throw new Error('two sinks were made');
    return sink;
  };
  return {
    read: (place, context) => sinkOf(place).read(place, context),
    apply: (place, plan, context) => sinkOf(place).apply(place, plan, context),
    restore: (place, generation, context) => sinkOf(place).restore(place, generation, context),
    close: () => documents.close(),
  };
}
