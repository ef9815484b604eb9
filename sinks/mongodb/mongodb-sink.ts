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
  const keys = createCasSink(wrap(createKeysStore(documents, bson, documents.batch)), codec);
  const sinkOf = ({ layout }: Place): Sink => (layout === 'keys' ? keys : createCasSink(wrap(createDocumentStore(documents, bson)), codec));
  return {
    read: (place, context) => sinkOf(place).read(place, context),
    apply: (place, plan, context) => sinkOf(place).apply(place, plan, context),
    restore: (place, generation, context) => sinkOf(place).restore(place, generation, context),
    close: () => documents.close(),
  };
}
